import type { Address } from "../state/range.js";

/** address keeps the range in the query of the page's own address. */
export const address: Address = {
  read: () => location.search,
  write(query, entry) {
    const url = location.pathname + query + location.hash;
    if (entry) history.pushState(null, "", url);
    else history.replaceState(null, "", url);
  },
};
