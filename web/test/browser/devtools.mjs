// A browser without the test library between, for what that hides from pages: it
// makes every tab think that it is in front, so none would ever be hidden or frozen.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import path from "node:path";

/** Devtools runs a browser and speaks the Chrome DevTools Protocol with it over a pipe. */
export class Devtools {
  #process;
  #waiting = new Map();
  #last = 0;
  #rest = "";

  /** @param folder where the browser keeps its profile */
  constructor(executablePath, args, folder) {
    const profile = mkdtempSync(path.join(folder, "profile-"));
    this.#process = spawn(
      executablePath,
      [...args, "--headless", "--remote-debugging-pipe", `--user-data-dir=${profile}`, "about:blank"],
      { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] },
    );
    this.#process.stdio[4].setEncoding("utf8").on("data", (chunk) => this.#read(chunk));
  }

  #read(chunk) {
    const messages = (this.#rest + chunk).split("\0");
    this.#rest = messages.pop();
    for (const message of messages) {
      const { id, result, error } = JSON.parse(message);
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error !== undefined) waiting?.reject(new Error(error.message));
      else waiting?.resolve(result);
    }
  }

  /** send calls a method of the protocol, of a tab's session or of the browser. */
  send(method, params = {}, sessionId = undefined) {
    const id = ++this.#last;
    this.#process.stdio[3].write(JSON.stringify({ id, method, params, sessionId }) + "\0");
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  /** open opens a tab in front of the others. */
  async open(url) {
    const { targetId } = await this.send("Target.createTarget", { url });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    return {
      targetId,
      send: (method, params) => this.send(method, params, sessionId),
      toFront: () => this.send("Target.activateTarget", { targetId }),
      /** evaluate returns what an expression gives in the page. */
      evaluate: async (expression) => {
        const how = { expression, returnByValue: true, awaitPromise: true };
        const { result, exceptionDetails } = await this.send("Runtime.evaluate", how, sessionId);
        if (exceptionDetails !== undefined) throw new Error(exceptionDetails.exception?.description ?? "it threw");
        return result.value;
      },
    };
  }

  /** close ends the browser. */
  async close() {
    if (this.#process.exitCode !== null) return;
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await ended;
  }
}
