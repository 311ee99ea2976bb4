import { timestampMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import { failureOf, sentence } from "../api/failure.js";
import { accountsOf } from "../api/who.js";
import { TokenKind, type Token, type WhoAmIResponse } from "../gen/users/v1/account_pb.js";
import { Role } from "../gen/vitals/auth/v1/auth_pb.js";
import { wire } from "../state/settings.js";
import { byId, element, setText } from "./dom.js";
import { instant } from "./format.js";

// All that knows of accounts is one part of the page: another would divide what the first load is made of into more files.
export { isSignedIn } from "../api/who.js";

type Accounts = ReturnType<typeof accountsOf>;

/** The path of this view. */
export const accountPath = "/account";

/** showAccount shows who the reader is: the sign-in, or the reader's tokens, of which an admin sees everyone's. */
export async function showAccount(): Promise<void> {
  document.title = "Account · Vitals";
  byId("health").hidden = true;
  document.querySelector<HTMLElement>(".state")!.hidden = true;
  const accounts = accountsOf(location.origin, wire());
  try {
    const who = await accounts.whoAmI({});
    if (who.by === "anonymous" && who.accountsHold) showSignIn();
    else if (who.by === "anonymous") showOpen();
    else await showTokens(accounts, who);
  } catch (error) {
    show(element("p", "notice", [failureOf(error).reason], { role: "alert" }));
  }
}

function show(...parts: Node[]): void {
  byId("main").replaceChildren(...parts);
}

function field(label: string, attributes: Record<string, string>): [HTMLElement, HTMLInputElement] {
  const input = element("input", "filter", [], attributes);
  return [element("label", "field", [label, input]), input];
}

/** back is where the reader came from: a path of this page, never another site. */
function back(): string {
  const to = new URLSearchParams(location.search).get("to") ?? "/";
  const url = new URL(to, location.origin);
  return url.origin === location.origin && url.pathname !== accountPath ? url.pathname + url.search : "/";
}

function showSignIn(): void {
  const [nameField, name] = field("Name", { name: "username", autocomplete: "username", maxlength: "128" });
  const [passwordField, password] = field("Password", {
    name: "password",
    type: "password",
    autocomplete: "current-password",
  });
  const [tokenField, token] = field("Token", { name: "token", type: "password", autocomplete: "off" });
  const problem = element("p", "problem", [], { role: "alert" });
  const form = element("form", "nothing account", [
    element("h2", "", ["Sign in"]),
    nameField,
    passwordField,
    element("p", "hint", ["Or, without a password, by a token of yours:"]),
    tokenField,
    element("button", "", ["Sign in"], { type: "submit" }),
    problem,
  ]);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const what = token.value === "" ? { name: name.value, password: password.value } : { token: token.value.trim() };
    void signIn(what).then((refusal) => {
      if (refusal === "") location.replace(back()); // who goes back from there is not asked again
      setText(problem, refusal);
    });
  });
  show(form);
  name.focus();
}

/** signIn asks for the cookie and returns why it was refused, or "". */
async function signIn(what: object): Promise<string> {
  try {
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch("/session", { method: "POST", headers, body: JSON.stringify(what) });
    return answer.ok ? "" : sentence(await answer.text());
  } catch {
    return "The server does not answer.";
  }
}

function showOpen(): void {
  show(
    element("div", "nothing account", [
      element("h2", "", ["There are no accounts"]),
      element("p", "", ["Whoever is on the server's machine may do everything. The first admin changes that:"]),
      element("pre", "", ["vitals user add NAME --role admin --password"]),
    ]),
  );
}

function nameOf(role: Role): string {
  return Role[role].toLowerCase().replace("_", " ");
}

function when(time: Timestamp | undefined): string {
  return time === undefined ? "never" : instant(timestampMs(time) / 1000);
}

/** How a reader is known. */
const signs: Readonly<Record<string, string>> = {
  session: "signed in with a password",
  token: "signed in with a token",
  certificate: "known by a certificate",
};

/** signedIn says who the reader is to the server, how, and for how long. */
function signedIn({ role, by, expires }: WhoAmIResponse): string {
  const end = expires === undefined ? "" : `, until ${when(expires)}`;
  return `Role ${nameOf(role)}, ${signs[by] ?? `known by ${by}`}${end}.`;
}

/** What writes the times of the view. */
let write: () => void = () => undefined;

/** retime writes the times anew, after the reader chose another zone. */
export function retime(): void {
  write();
}

async function showTokens(accounts: Accounts, who: WhoAmIResponse): Promise<void> {
  const out = element("button", "", ["Sign out"], { type: "button" });
  out.addEventListener("click", () => {
    void fetch("/session", { method: "DELETE" }).then(() => location.assign(accountPath));
  });
  const list = element("div", "scroll", [], { tabindex: "0", role: "group", "aria-label": "Tokens" });
  const about = element("p", "");
  let tokens: Token[] = [];
  const problem = element("p", "problem", [], { role: "alert" });
  const fail = (error: unknown) => setText(problem, failureOf(error).reason);
  const draw = async () => {
    ({ tokens } = await accounts.listTokens({}));
    write();
  };
  write = () => {
    setText(about, signedIn(who));
    list.replaceChildren(tableOf(tokens, (token) => accounts.revokeToken({ id: token.id }).then(draw).catch(fail)));
  };
  write();
  show(
    element("section", "nothing account", [element("h2", "", [who.name]), about, out]),
    element("section", "nothing account", [
      element("h2", "", [who.role === Role.ADMIN ? "All tokens" : "Your tokens"]),
      list,
      problem,
      formOf(accounts, who.role === Role.ADMIN, draw, fail),
    ]),
  );
  await draw().catch(fail);
}

function tableOf(tokens: Token[], revoke: (token: Token) => void): HTMLElement {
  const heads = ["Id", "Kind", "Name", "For", "Role", "Last used", "Expires", "Revoke"];
  const rows = tokens.map((token) => {
    const button = element("button", "", ["Revoke"], { type: "button", "aria-label": `Revoke token ${token.name}` });
    button.addEventListener("click", () => {
      if (confirm(`Revoke ${token.name}? Whoever calls with it is cut off at once.`)) revoke(token);
    });
    const cells = [
      String(token.id),
      TokenKind[token.kind].toLowerCase(),
      token.name,
      token.user || token.hostname || "any host",
      nameOf(token.role),
      when(token.lastUsed),
      when(token.expires),
    ];
    return element("tr", "", [...cells.map((text) => element("td", "", [text])), element("td", "", [button])]);
  });
  const head = element(
    "tr",
    "",
    heads.map((text) => element("th", "", [text], { scope: "col" })),
  );
  return element("table", "tokens", [element("thead", "", [head]), element("tbody", "", rows)]);
}

const kinds: Readonly<Record<string, [text: string, kind: TokenKind]>> = {
  user: ["for a program, in my name", TokenKind.USER],
  agent: ["for the agent of a host", TokenKind.AGENT],
  enrolment: ["for agents to enrol", TokenKind.ENROLMENT],
};

/** formOf makes tokens. Only admins make them for agents. */
function formOf(
  accounts: Accounts,
  isAdmin: boolean,
  made: () => Promise<void>,
  fail: (error: unknown) => void,
): HTMLElement {
  const [nameField, name] = field("Name", { required: "", maxlength: "64" });
  const [hostField, host] = field("Host", { maxlength: "253" });
  const [daysField, days] = field("Days until it expires", { type: "number", min: "1", max: "3650", value: "90" });
  const kind = element(
    "select",
    "",
    Object.entries(kinds).map(([value, [text]]) => element("option", "", [text], { value })),
    { "aria-label": "What it is for" },
  );
  kind.addEventListener("change", () => (hostField.hidden = kind.value !== "agent"));
  hostField.hidden = true;
  kind.hidden = !isAdmin;
  const secret = element("p", "secret", [], { role: "status" });
  const form = element("form", "account", [
    element("h3", "", ["A new token"]),
    nameField,
    kind,
    hostField,
    daysField,
    element("button", "", ["Make it"], { type: "submit" }),
    secret,
  ]);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const lifetime = { seconds: BigInt(Number(days.value) * 86_400), nanos: 0 };
    accounts
      .createToken({ name: name.value, kind: kinds[kind.value]![1], hostname: host.value, lifetime })
      .then((answer) => {
        secret.replaceChildren("Copy it now, it is not shown again: ", element("code", "", [answer.secret]));
        return made();
      })
      .catch(fail);
  });
  return form;
}
