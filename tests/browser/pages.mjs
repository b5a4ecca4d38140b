// Makes the pages that are looked at: of real runs in the sandbox, of how their plans differ, and of plans and reports that somebody
// made up who knows how to seal them.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const REDACTION_KEY = "0123456789abcdef0123456789abcdef";

/** Sets the trap: whatever runs leaves this behind. */
export const TRAP = "caught";
const run = `window.${TRAP}=1`;

/** Text that tries everything that a page could obey. */
const ATTACKS = [
  `<script>${run}</script>`,
  `<img src=x onerror="${run}">`,
  `</code></td></table></main></style></title><svg onload="${run}">`,
  `"><a href="javascript:${run}" autofocus onfocus="${run}">click</a>`,
  `' onmouseover='${run}' style='position:fixed;inset:0`,
  `<style>*{display:none}</style><link rel=stylesheet href=//evil.example/x.css><base href=//evil.example/>`,
  `<meta http-equiv=refresh content="0;url=//evil.example/"><iframe src=//evil.example></iframe><form action=//evil.example>`,
  `<!--<script>`,
  `--><![CDATA[`,
  `]]>&lt;script&gt;&#60;script&#62;&#x0;&amp;lt;`,
  `\u202egnp.exe\u2066 \u200b\ufeff\u0000\u001b[2J\r\n\t<b>FORGED</b>`,
  `{{constructor.constructor('${run}')()}} \${${run}}`,
  `javascript:${run}`,
  `data:text/html,<script>${run}</script>`,
  "W".repeat(300),
  "שלום (עולם)",
  "e" + "\u0301".repeat(40),
];

/** Runs the program in a folder; the status has to be the one that is expected. */
function runner(binary, folder) {
  mkdirSync(folder, { recursive: true });
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, KEYCLOAK_TO_AZURE_REDACT_KEY: REDACTION_KEY };
  return (status, ...words) => {
    const ended = spawnSync(binary, words, { cwd: folder, env, encoding: "utf8", maxBuffer: 2 ** 30 });
    if (ended.status !== status) {
      throw new Error(`${words.join(" ")} ended with ${ended.status}, not with ${status}\n${ended.stderr}`);
    }
    return ended.stdout;
  };
}

/** JSON by RFC 8785, for which JavaScript already writes numbers and strings as it should. */
function canonical(value) {
  if (Array.isArray(value)) {
    return `[${value.map(canonical).join(",")}]`;
  }
  if (value !== null && typeof value === "object") {
    const names = Object.keys(value).sort();
    return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
  }
  return JSON.stringify(value);
}

function seal(plan) {
  const { plan_id: _id, created_at: _time, ...digested } = plan;
  const digest = createHash("sha256").update(canonical(digested)).digest("hex");
  return { ...plan, plan_id: `sha256:${digest}` };
}

/** A plan with an attack in every place that others may write to. Each time another one. */
function hostile(plan) {
  let turn = 0;
  const attack = () => ATTACKS[turn++ % ATTACKS.length];
  const address = () => `${turn}${attack().replaceAll(/[\s\p{C}@]/gu, "")}@evil.example`.toLowerCase();
  const all = ATTACKS.join(" ");
  const copy = structuredClone(plan);
  copy.source.url = all;
  copy.source.realm = attack();
  copy.target.tenant_name = all;
  copy.tool_version = attack();
  copy.config_sha256 = attack();
  copy.source.federation = { known_from: "seen", providers: [{ id: "c1", name: all }] };
  copy.overrides = { allow_empty: [...ATTACKS].sort(), without_witness: [all] };
  const names = new Map();
  for (const group of copy.groups) {
    group.azure.name = attack();
    names.set(group.azure.id, group.azure.name);
    group.keycloak[0].path = `/${attack().replaceAll("/", "")}`;
  }
  const one = (action) => copy.changes.find((change) => change.action === action);
  const templates = ["invite", "update", "add", "remove"].map(one);
  copy.changes = templates.flatMap((template) => ATTACKS.map((_, at) => {
    const change = structuredClone(template);
    if (change.action === "invite") {
      change.email = address();
      change.person = { id: `p${at}`, username: attack() };
      change.set.display_name = at % 2 ? attack() : null;
      change.redirect_url = attack();
      if (at % 3 === 0) {
        Object.assign(change, { send_email: true, message: `${attack()}\n${attack()}`, cc: address() });
      }
      return change;
    }
    change.account = { id: guid(0xa000 + turn), email: address(), display_name: attack() };
    if (change.action === "update") {
      change.fields = { surname: { before: attack(), after: attack() }, display_name: { before: null, after: attack() } };
      return change;
    }
    change.group = { ...change.group, name: names.get(change.group.id) };
    if (change.action === "add") {
      change.because = [`/${attack().replaceAll("/", "")}`];
    }
    return change;
  }));
  const codes = ["no_email", "name_too_long", "address_may_have_changed", "removal_not_confirmed"];
  copy.problems = codes.flatMap((code) => ATTACKS.map(() => ({ code, subject: attack(), message: attack(), hint: attack() })));
  return counted(copy);
}

/** Many invitations, updates, additions and removals. */
function large(plan, number) {
  const copy = structuredClone(plan);
  const [group] = copy.groups;
  const azure = group.azure;
  const person = (at) => `person.${at}@partner.example`;
  copy.changes = [];
  const kinds = ["invite", "update", "add", "remove"];
  for (const action of kinds) {
    const template = plan.changes.find((change) => change.action === action);
    for (let at = kinds.indexOf(action); at < number; at += kinds.length) {
      const change = structuredClone(template);
      if (action === "invite") {
        change.email = person(at);
        change.person = { id: `p${at}`, username: `person.${at}` };
        change.set.display_name = `Person ${at}`;
      } else {
        change.account = { id: guid(at), email: person(at), display_name: `Person ${at}` };
      }
      if ("group" in change) {
        change.group = azure;
      }
      copy.changes.push(change);
    }
  }
  group.members_before = number;
  return counted(copy);
}

/** A plan whose invitations are mailed, with a text of several lines and a copy. */
function mailed(plan) {
  const copy = structuredClone(plan);
  for (const change of copy.changes.filter(({ action }) => action === "invite")) {
    Object.assign(change, { send_email: true, message: "Welcome!\n\nYour access is ready.", language: "de-DE", cc: "people@acme.example" });
  }
  return copy;
}

function guid(number) {
  return `00000000-0000-4000-8000-${number.toString(16).padStart(12, "0")}`;
}

/** The numbers of a plan as its changes have them. */
function counted(plan) {
  const number = (action) => plan.changes.filter((change) => change.action === action).length;
  for (const action of ["invite", "update", "add", "remove"]) {
    plan.summary[action] = number(action);
  }
  plan.summary.problems = plan.problems.length;
  for (const group of plan.groups) {
    const moves = (action) => plan.changes.filter((change) => change.action === action && change.group.id === group.azure.id).length;
    group.members_before = Math.max(group.members_before, moves("remove"));
    group.members_after = group.members_before + moves("add") - moves("remove");
  }
  return plan;
}

function hostileReport(lines) {
  let turn = 0;
  const attack = () => ATTACKS[turn++ % ATTACKS.length];
  const all = ATTACKS.join(" ");
  return lines.map((line) => {
    const entry = JSON.parse(line);
    if (entry.type === "start") {
      entry.operator = all;
      entry.tool_version = attack();
      entry.app_id = attack();
      entry.source = { url: all, realm: attack() };
      entry.target.tenant_name = all;
    }
    if (entry.account) {
      entry.account.email = attack();
      entry.account.display_name = attack();
      entry.request_id = attack();
    }
    if (entry.group) {
      entry.group.name = attack();
    }
    if (entry.type === "outcome") {
      entry.message = attack();
      entry.outcome = ["failed", "conflict", "not_attempted", "not_wanted", "done"][turn % 5];
    }
    return JSON.stringify(entry);
  });
}

/** The report of a run with many outcomes: what the last change of each kind came to, over and over, each of somebody else. */
function largeReport(lines, number) {
  const entries = lines.map((line) => JSON.parse(line));
  const of = (type, change) => entries.filter((entry) => entry.type === type && entry.change === change);
  const outcomes = ["invite", "add", "remove"].map((action) => entries.findLast((entry) => entry.type === "outcome" && entry.action === action));
  const [start] = entries.filter(({ type }) => type === "start").slice(-1);
  const [end] = entries.filter(({ type }) => type === "end").slice(-1);
  const written = [{ ...start, changes: number }];
  for (let at = 0; at < number; at += 1) {
    const outcome = outcomes[at % outcomes.length];
    const fails = at % 10 === 0;
    for (const entry of [...(fails ? [] : of("step", outcome.change)), outcome]) {
      const account = { id: entry.account.id && guid(at), email: `person.${at}@partner.example`, display_name: `Person ${at}` };
      written.push({ ...entry, change: at + 1, account, ...(fails ? { outcome: "failed", message: "Graph refused it" } : {}) });
    }
  }
  const failed = Math.ceil(number / 10);
  written.push({ ...end, totals: { ...end.totals, done: number - failed, failed } });
  return written.map((entry) => JSON.stringify(entry));
}

/** The directories with an attack in every name and address of people that the audit still finds. */
function hostileDirectories(state) {
  let turn = 0;
  const attack = () => ATTACKS[turn++ % ATTACKS.length];
  const copy = structuredClone(state);
  const { entra, keycloak } = copy.world;
  entra.tenant_name = ATTACKS.join(" ");
  for (const user of Object.values(entra.users)) {
    Object.assign(user, { display_name: attack(), given_name: attack(), surname: attack() });
    if (turn % 5 === 0) {
      user.mail = `${attack()}@partner.example`;
    }
  }
  for (const person of Object.values(keycloak.realms).flatMap(({ people }) => people)) {
    if (person.groups.length > 0) {
      Object.assign(person, { first_name: attack(), last_name: attack(), username: `${turn}${attack()}` });
    }
  }
  return copy;
}

/** The directories with so many more people in one group. */
function largeDirectories(state, number) {
  const copy = structuredClone(state);
  const { entra, keycloak } = copy.world;
  const realm = Object.values(keycloak.realms).find(({ name }) => name === "acme");
  const person = realm.people.find(({ username }) => username === "ada-abel");
  const user = Object.values(entra.users).find(({ mail }) => mail === "ada@partner.example");
  const [group] = Object.values(entra.groups).filter(({ members }) => members.includes(user.id));
  for (let at = 0; at < number; at += 1) {
    const [id, email] = [guid(at), `person.${at}@partner.example`];
    const names = { display_name: `Person ${at}`, given_name: "Person", surname: `${at}` };
    const principal = `person.${at}_partner.example#EXT#@acme.onmicrosoft.com`;
    entra.users[id] = { ...user, id, ...names, mail: email, mail_nickname: `person.${at}`, user_principal_name: principal, other_mails: [email], proxy_addresses: [] };
    group.members.push(id);
    realm.people.push({ ...person, id: guid(0xb0000 + at), username: `person.${at}`, email, first_name: "Person", last_name: `${at}` });
  }
  return copy;
}

/** Writes all pages into a folder. Returns each with what has to stand on it. */
export function makePages(binary, folder) {
  const program = runner(binary, folder);
  const file = (name) => join(folder, name);
  const read = (name) => JSON.parse(readFileSync(file(name), "utf8"));
  const pages = [];
  const keep = (name, html, facts) => {
    writeFileSync(file(`${name}.html`), html);
    pages.push({ name, path: file(`${name}.html`), texts: [], ...facts });
  };
  const html = ["--format", "html"];
  const show = (name, plan, facts) => {
    writeFileSync(file(`${name}.json`), JSON.stringify(seal(plan)));
    keep(name, program(0, "show", `${name}.json`, ...html), { texts: addressesOf(plan), ...facts });
  };

  const blocked = program(3, "plan", "--sandbox", "--out", "blocked.json", "--max-removals", "0", ...html);
  keep("blocked", blocked, { texts: addressesOf(read("blocked.json")) });
  const page = program(0, "plan", "--sandbox", "--out", "plan.json", ...html);
  const plan = read("plan.json");
  keep("plan", page, { texts: addressesOf(plan) });
  keep("redacted", program(0, "show", "plan.json", "--redact", ...html), { absent: addressesOf(plan) });

  program(0, "apply", "--sandbox", "plan.json", "--dry-run");
  program(0, "apply", "--sandbox", "plan.json");
  keep("report", program(0, "report", "plan.report.jsonl", ...html), { texts: addressesOf(plan) });
  keep("audit", program(2, "audit", "--sandbox", "--since", "plan.report.jsonl", ...html), { texts: ["gil@partner.example", "dana@partner.example"] });
  const undo = program(0, "undo", "--sandbox", "plan.report.jsonl", "--out", "undo.json", ...html);
  keep("undo", undo, { texts: addressesOf(read("undo.json")) });
  keep("settled", program(0, "plan", "--sandbox", "--out", "settled.json", ...html), {});

  show("hostile", hostile(plan), { texts: [], hostile: true });
  const against = (name, newer, older, facts, ...flags) => {
    keep(name, program(0, "show", `${newer}.json`, "--against", `${older}.json`, ...flags, ...html), facts);
  };
  against("came", "plan", "settled", { texts: addressesOf(plan) });
  against("went", "settled", "blocked", { texts: addressesOf(plan) });
  against("redacted-came", "plan", "settled", { absent: addressesOf(plan) }, "--redact");
  against("same", "plan", "plan", {});
  against("hostile-came", "hostile", "plan", { hostile: true });
  against("hostile-went", "plan", "hostile", { hostile: true });
  const lines = readFileSync(file("plan.report.jsonl"), "utf8").trimEnd().split("\n");
  writeFileSync(file("hostile.report.jsonl"), hostileReport(lines).join("\n"));
  keep("hostile-report", program(0, "report", "hostile.report.jsonl", ...html), { hostile: true });
  show("mailed", mailed(plan), { texts: [...addressesOf(plan), "people@acme.example"] });
  show("folded", large(plan, 120), {});
  show("large", large(plan, 3_000), { large: true });
  against("folded-came", "folded", "plan", { texts: ["person.119@partner.example"] });
  against("large-came", "large", "folded", { texts: ["person.120@partner.example", "person.2999@partner.example"], large: true });
  writeFileSync(file("large.report.jsonl"), largeReport(lines, 3_000).join("\n"));
  writeFileSync(file("folded.report.jsonl"), largeReport(lines, 120).join("\n"));
  keep("folded-report", program(0, "report", "folded.report.jsonl", ...html), { texts: ["person.119@partner.example"] });
  const somebody = ["person.0@partner.example", "person.1234@partner.example", "person.2999@partner.example"];
  keep("large-report", program(0, "report", "large.report.jsonl", ...html), { texts: somebody, large: true });

  const state = read("keycloak_to_azure.sandbox.json");
  const audit = (name, directories, facts) => {
    writeFileSync(file("keycloak_to_azure.sandbox.json"), JSON.stringify(directories));
    keep(name, program(2, "audit", "--sandbox", "--since", "plan.report.jsonl", "--pending-days", "0", ...html), facts);
  };
  audit("hostile-audit", hostileDirectories(state), { hostile: true });
  audit("large-audit", largeDirectories(state, 1_000), { texts: ["person.0@partner.example", "person.999@partner.example"], large: true });
  return pages;
}

function addressesOf(plan) {
  return plan.changes.map((change) => change.email ?? change.account.email);
}
