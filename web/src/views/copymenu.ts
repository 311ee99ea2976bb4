import { copyText } from "./copy.js";
import { commandsOf, type Question } from "./curl.js";
import { element, setText } from "./dom.js";

/** copyMenu makes a small menu that copies the request of a chart as a command line. */
export function copyMenu(title: string, question: () => Question): HTMLElement {
  const summary = element("summary", "", ["Copy as"], { "aria-label": `Copy as: the request of ${title}` });
  const said = element("span", "said", [], { role: "status" });
  const text = element("textarea", "", [], { hidden: "", readonly: "", "aria-label": "Command line", rows: "4" });
  const menu = element("details", "copy", [summary]);
  const buttons = (["curl", "grpcurl", "vitals"] as const).map((tool) => {
    const button = element("button", "", [tool], { type: "button" });
    button.addEventListener("click", () => {
      const line = commandsOf(location.origin, question())[tool];
      void copyText(line).then((copied) => {
        setText(said, copied ? `Copied for ${tool}` : "Press Ctrl+C");
        text.hidden = copied;
        text.value = line;
        // Plain http from another machine has no clipboard: the text is left selected.
        if (!copied) text.select();
      });
    });
    return button;
  });
  menu.append(element("div", "menu", [...buttons, said, text]));
  menu.addEventListener("toggle", () => setText(said, ""));
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menu.open = false;
    summary.focus();
    event.stopPropagation();
  });
  document.addEventListener("click", (event) => {
    if (menu.open && !menu.contains(event.target as Node)) menu.open = false;
  });
  return menu;
}
