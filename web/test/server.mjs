// The real server for the browser tests: the binary that VITALS_BIN names, else
// one built from the sources around this folder.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const web = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** binary returns the path of the server, built into folder where none is given. */
export function binary(folder) {
  if (process.env.VITALS_BIN) return path.resolve(process.env.VITALS_BIN);
  const built = path.join(mkdtempSync(path.join(folder, "bin-")), "vitals");
  execFileSync("go", ["build", "-o", built, "../cmd/vitals"], { cwd: web, stdio: "inherit" });
  return built;
}

/** Server runs `vitals serve` as a process of its own. */
export class Server {
  #binary;
  #process;
  #data;
  /** The port, once started: a restart takes the same. */
  port = 0;

  /** @param folder where its history is kept, over restarts too */
  constructor(binary, hostname, folder) {
    this.#binary = binary;
    this.#data = mkdtempSync(path.join(folder, "data-"));
    this.hostname = hostname;
  }

  /** The folder that it keeps all in. */
  get data() {
    return this.#data;
  }

  get origin() {
    return `http://localhost:${this.port}`;
  }

  /** start resolves when the server says where its page is. */
  async start() {
    const where = ["--listen", `localhost:${this.port}`, "--allowed-host", "vitals.test"];
    const args = ["serve", ...where, "--hostname", this.hostname, "--data-dir", this.#data];
    const started = spawn(this.#binary, args, { stdio: ["ignore", "pipe", "pipe"] });
    this.#process = started;
    let output = "";
    await new Promise((resolve, reject) => {
      const fail = (why) => reject(new Error(`vitals serve ${why}; it printed:\n${output}`));
      const timer = setTimeout(() => fail("did not say within 60 s where its page is"), 60_000);
      const read = (chunk) => {
        output = (output + chunk).slice(-10_000);
        const address = /http:\/\/localhost:(\d+)/.exec(output);
        if (address === null || Number(address[1]) === 0) return;
        this.port = Number(address[1]);
        clearTimeout(timer);
        resolve();
      };
      started.stdout.on("data", read);
      started.stderr.on("data", read);
      started.on("error", (error) => fail(`did not start: ${error.message}`));
      started.on("exit", (code) => fail(`ended with code ${code}`));
    });
  }

  /** signal sends the process a signal. */
  signal(name) {
    this.#process.kill(name);
  }

  /** stop lets the process end in order, as an operator does. */
  async stop() {
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGTERM");
    await ended;
  }

  /** kill ends the process at once, as a crash would. */
  async kill() {
    if (this.#process === undefined || this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await ended;
  }
}

/** Agent runs `vitals agent`, which reports this machine under another name. */
export class Agent {
  #process;

  constructor(binary, server, hostname, folder, tags = ["role=test"]) {
    const spool = mkdtempSync(path.join(folder, "spool-"));
    const args = ["agent", "--server", server.origin, "--hostname", hostname, "--spool-dir", spool];
    this.#process = spawn(binary, [...args, ...tags.flatMap((tag) => ["--tag", tag])], { stdio: "ignore" });
  }

  /** stop ends the process and resolves when it is gone. */
  async stop() {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await ended;
  }
}
