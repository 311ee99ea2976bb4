import { commandsOf, type Question } from "./commands.js";
import { copyText } from "./copy.js";
import { element, setText } from "./dom.js";

/** Copied is a request that a menu offers: what it brings, where there is more than one, and the request as it is now. */
export interface Copied {
  what: string;
  question: () => Question;
}

const tools = ["curl", "grpcurl", "vitals"] as const;

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
  const copy = (tool: (typeof tools)[number], question: Question) => {
    const line = commandsOf(location.origin, question)[tool];
    void copyText(line).then((copied) => {
      setText(said, copied ? `Copied for ${tool}` : "Press Ctrl+C");
      text.hidden = copied;
      text.value = line;
      // Plain http from another machine has no clipboard: the text is left selected.
      if (!copied) text.select();
    });
  };
  const parts = requests.map(({ what, question }) => {
    const buttons = tools.map((tool) => {
      const button = element("button", "", [tool], {
        type: "button",
        ...(requests.length > 1 ? { "aria-label": `${what} as ${tool}` } : {}),
      });
      button.addEventListener("click", () => copy(tool, question()));
      return button;
    });
    return [...(requests.length > 1 ? [element("span", "what", [what])] : []), ...buttons];
  });
  menu.append(element("div", "menu", [...parts.flat(), said, text]));
  menu.addEventListener("toggle", () => {
    setText(said, "");
    text.hidden = true;
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
