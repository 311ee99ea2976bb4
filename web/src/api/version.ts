/**
 * isOtherPage tells whether the server has another version of this page than the
 * one that runs here: the script that its index names has a hash of its content in
 * its name. False where the server cannot be asked.
 */
export async function isOtherPage(fetch: typeof globalThis.fetch, script: string): Promise<boolean> {
  try {
    const answer = await fetch("/", { cache: "no-cache" });
    const text = answer.ok ? await answer.text() : "";
    return text.includes('type="module"') && !text.includes(script);
  } catch {
    return false;
  }
}
