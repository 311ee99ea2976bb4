import { setText } from "./dom.js";

/** copyOnClick makes a button copy the text of source, and say so for two seconds. */
export function copyOnClick(button: HTMLElement, source: HTMLElement): void {
  const label = button.textContent ?? "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  button.addEventListener("click", () => {
    void copy(source).then((copied) => {
      setText(button, copied ? "Copied" : "Press Ctrl+C");
      clearTimeout(timer);
      timer = setTimeout(() => setText(button, label), 2_000);
    });
  });
}

/**
 * copy puts the text of an element on the clipboard. Where the browser does not
 * allow that (plain http from another machine), the text is left selected.
 */
async function copy(source: HTMLElement): Promise<boolean> {
  const clipboard = (navigator as { clipboard?: Clipboard }).clipboard;
  try {
    if (clipboard === undefined) throw new Error("no clipboard outside of secure contexts");
    await clipboard.writeText(source.textContent ?? "");
    return true;
  } catch {
    getSelection()?.selectAllChildren(source);
    return false;
  }
}
