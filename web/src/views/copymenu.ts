import { wire } from "../state/settings.js";
import { commandsOf, tokenVariable, type Question } from "./commands.js";
import { copyText } from "./copy.js";
import { element, setText } from "./dom.js";

/** Copied is a request that a menu offers: what it brings, where there is more than one, and the request as it is now. */
export interface Copied {
  what: string;
  question: () => Question;
}

const tools = ["curl", "grpcurl", "vitals"] as const;

/** Whether the reader is signed in, asked when the first menu opens: to sign in or out loads the page anew. */
let signedIn: Promise<boolean> | undefined;

function askSignedIn(): Promise<boolean> {
  signedIn ??= import("./account.js").then(
    ({ isSignedIn }) => isSignedIn(location.origin, wire()),
    () => false, // a part that the server has no longer: the page offers to be loaded again
  );
  return signedIn;
}

/**
 * copyMenu makes a small menu that copies the requests behind a chart or a table as
 * command lines.
 *
 * @param title what the chart or the table is called
 */
export function copyMenu(title: string, ...requests: readonly Copied[]): HTMLElement {
  const summary = element("summary", "", ["Copy as"], { "aria-label": `Copy as: the request of ${title}` });
  const said = element("span", "said", [], { role: "status" });
  const text = element("textarea", "", [], { hidden: "", readonly: "", "aria-label": "Command line", rows: "4" });
  const menu = element("details", "copy", [summary]);
  const copy = async (tool: (typeof tools)[number], question: Question) => {
    const line = commandsOf(location.origin, question, await askSignedIn())[tool];
    const copied = await copyText(line);
    setText(said, copied ? `Copied for ${tool}` : "Press Ctrl+C");
    text.hidden = copied;
    text.value = line;
    // Plain http from another machine has no clipboard: the text is left selected.
    if (!copied) text.select();
  };
  const parts = requests.map(({ what, question }) => {
    const buttons = tools.map((tool) => {
      const button = element("button", "", [tool], {
        type: "button",
        ...(requests.length > 1 ? { "aria-label": `${what} as ${tool}` } : {}),
      });
      button.addEventListener("click", () => void copy(tool, question()));
      return button;
    });
    return [...(requests.length > 1 ? [element("span", "what", [what])] : []), ...buttons];
  });
  const hint = element("span", "hint", [`They call with your token in ${tokenVariable}.`], { hidden: "" });
  menu.append(element("div", "menu", [...parts.flat(), said, text, hint]));
  menu.addEventListener("toggle", () => {
    setText(said, "");
    text.hidden = true;
    if (menu.open) void askSignedIn().then((isSignedIn) => (hint.hidden = !isSignedIn));
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    summary.focus();
    event.stopPropagation();
  });
  document.addEventListener("click", (event) => {
    if (menu.open && !menu.contains(event.target as Node)) menu.open = false;
  });
  return menu;
}
