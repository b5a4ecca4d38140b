// Looks at every page in a browser, and says what is wrong with it.

import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

import { chromium } from "playwright-core";

import { TRAP, makePages } from "./pages.mjs";

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const WIDE = { width: 1280, height: 900 };
/** What remains of 1,280 pixels at four times the size, by the Web Content Accessibility Guidelines. */
const NARROW = { width: 320, height: 640 };

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const wrong = [];

/** Opens a page in a window of its own, and reports whatever it does by itself. */
async function visit(browser, page, options, look) {
  const url = pathToFileURL(page.path).href;
  const context = await browser.newContext({ viewport: WIDE, ...options });
  const tab = await context.newPage();
  const report = (what) => wrong.push(`${page.name}, ${describe(options)}: ${what}`);
  tab.on("console", (message) => report(`the console says: ${message.text()}`));
  tab.on("pageerror", (error) => report(`an error: ${error}`));
  tab.on("dialog", (dialog) => report(`a dialog: ${dialog.message()}`));
  tab.on("popup", () => report("another window"));
  tab.on("framenavigated", (frame) => frame.url().split("#")[0] === url || report(`it went to ${frame.url()}`));
  tab.on("request", (request) => request.url() === url || report(`a request to ${request.url()}`));
  await tab.goto(url);
  await look(tab, report);
  if (await tab.evaluate((trap) => trap in window, TRAP)) {
    report("something in it ran");
  }
  await context.close();
}

function describe(options) {
  const { viewport = WIDE, colorScheme = "light", bypassCSP = false } = options;
  return `${viewport.width} px, ${colorScheme}${bypassCSP ? ", without its policy" : ""}`;
}

/** Everything that the rules of accessibility can be checked for by a program, contrast and order of headings included. */
async function obeysTheRules(tab, report) {
  await tab.evaluate(axe);
  const { violations, passes } = await tab.evaluate(() => window.axe.run(document, { resultTypes: ["violations", "passes"] }));
  for (const { id, help, nodes } of violations) {
    report(`${id}: ${help}: ${nodes.slice(0, 3).map((node) => `${node.html}: ${node.failureSummary}`).join(" | ")}`);
  }
  for (const rule of ["color-contrast", "heading-order", "landmark-one-main", "document-title", "region", "skip-link"]) {
    if (!passes.some(({ id }) => id === rule)) {
      report(`${rule} was not checked`);
    }
  }
}

async function fits(tab, report) {
  const [content, window] = await tab.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  if (content > window) {
    report(`${content} px wide in a window of ${window} px`);
  }
}

/** Every link and every summary can be reached by the Tab key, in the order of the page, and shows that it was. */
async function isForTheKeyboard(tab, report) {
  const places = await tab.locator("a[href], summary").count();
  for (let at = 0; at < places; at += 1) {
    await tab.keyboard.press("Tab");
    const focus = await tab.evaluate(async () => {
      await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
      const element = document.activeElement;
      const { outlineStyle, outlineWidth } = getComputedStyle(element);
      const { top, left, width, height } = element.getBoundingClientRect();
      return {
        at: [...document.querySelectorAll("a[href], summary")].indexOf(element),
        outlined: outlineStyle === "solid" && parseFloat(outlineWidth) >= 2,
        seen: width > 0 && height > 0 && top >= 0 && left >= 0 && top < innerHeight && left < innerWidth,
        html: element.outerHTML.slice(0, 100),
      };
    });
    if (focus.at !== at || !focus.outlined || !focus.seen) {
      report(`the ${at + 1}. press of Tab: ${JSON.stringify(focus)}`);
      return;
    }
  }
}

/** Links lead to places that there are, and folded parts open by the keyboard. */
async function leadsSomewhere(tab, report) {
  const dead = await tab.evaluate(() => [...document.querySelectorAll("a")]
    .map((link) => link.getAttribute("href"))
    .filter((target) => !/^#[a-z]+(-[a-z]+)?(-\d+)?$/.test(target) || !document.querySelector(target)));
  if (dead.length > 0) {
    report(`links that lead nowhere: ${dead}`);
  }
  await tab.locator(".skip a").focus();
  await tab.keyboard.press("Enter");
  const landed = await tab.evaluate(() => document.activeElement.id);
  if (landed !== "content") {
    report(`the link past the links leads to ${landed}`);
  }
  const folded = tab.locator("summary").last();
  if (await folded.count()) {
    await folded.focus();
    await tab.keyboard.press("Enter");
    if (!(await folded.evaluate((summary) => summary.parentElement.open))) {
      report("a folded part does not open by the keyboard");
    }
  }
}

/** The program that reads a page aloud finds everything by its role and its name. */
async function isForAScreenReader(tab, report) {
  const found = await tab.evaluate(() => {
    const texts = (selector) => [...document.querySelectorAll(selector)].map((element) => element.textContent.trim());
    return {
      language: document.documentElement.lang,
      mains: texts("main").length,
      firsts: texts("h1"),
      headings: [...document.querySelectorAll("h1, h2, h3")].map((heading) => Number(heading.tagName[1])),
      unnamed: texts("a, summary, h1, h2, h3, caption, thead th").filter((text) => text === "").length,
      tables: [...document.querySelectorAll("table")].filter((table) => !table.caption || !table.tHead).length,
      cells: texts("th:not([scope])").length,
      ids: [...document.querySelectorAll("[id]")].map((element) => element.id),
    };
  });
  const jumps = found.headings.some((level, at) => at > 0 && level > found.headings[at - 1] + 1);
  const unique = new Set(found.ids).size === found.ids.length;
  const { language, mains, firsts, unnamed, tables, cells } = found;
  if (language !== "en" || mains !== 1 || firsts.length !== 1 || jumps || unnamed || tables || cells || !unique) {
    report(`not as a screen reader wants it: ${JSON.stringify({ ...found, jumps, unique })}`);
  }
}

/** Nothing but what the program means to write: no element or attribute of another kind. */
async function isNothingElse(tab, report) {
  const strange = await tab.evaluate(() => {
    const tags = new Set(("a b bdi blockquote body caption code dd details div dl dt footer h1 h2 h3 head html li main meta nav p pre section strong "
      + "style summary table tbody td th thead title tr ul").split(" "));
    const attributes = new Set(["class", "id", "href", "scope", "lang", "charset", "content", "name", "http-equiv", "tabindex", "open",
      "aria-label"]);
    return [...document.querySelectorAll("*")]
      .filter((element) => !tags.has(element.localName) || [...element.attributes].some(({ name }) => !attributes.has(name)))
      .map((element) => element.outerHTML.slice(0, 200));
  });
  if (strange.length > 0) {
    report(`strange elements: ${strange.slice(0, 3).join(" | ")}`);
  }
}

/** The policy in the page is one that the browser enforces: whatever might be put into the page is refused. */
async function isProtected(browser, page) {
  const context = await browser.newContext();
  const tab = await context.newPage();
  await tab.goto(pathToFileURL(page.path).href);
  const refused = await tab.evaluate(async () => {
    const refused = [];
    document.addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
    const insert = (tag, attributes) => document.body.append(Object.assign(document.createElement(tag), attributes));
    insert("script", { textContent: "window.ran = 1" });
    insert("style", { textContent: "* { display: none }" });
    insert("img", { src: "data:image/gif;base64,R0lGODlhAQABAAAAACw=" });
    insert("iframe", { src: "https://evil.example/" });
    insert("base", { href: "https://evil.example/" });
    document.body.setAttribute("style", "display: none");
    await fetch("https://evil.example/").catch(() => {});
    for (let waits = 0; refused.length < 7 && waits < 500; waits += 1) {
      await new Promise((done) => setTimeout(done, 10));
    }
    return [...refused, "ran" in window ? "a script ran" : "no script ran"].sort().join(", ");
  });
  await context.close();
  const all = "base-uri, connect-src, frame-src, img-src, no script ran, script-src-elem, style-src-attr, style-src-elem";
  if (refused !== all) {
    wrong.push(`${page.name}: its policy refuses ${refused}, not ${all}`);
  }
}

/** On paper stands everything, folded or not. */
async function isForPaper(tab, report, page, folder) {
  const file = join(folder, `${page.name}.pdf`);
  await tab.pdf({ path: file, format: "A4", preferCSSPageSize: true, tagged: true });
  const read = spawnSync("pdftotext", ["-raw", file, "-"], { encoding: "utf8", maxBuffer: 2 ** 28 });
  // Breaks of lines and pages are no part of a text.
  const paper = read.stdout.replaceAll(/\d+ \/ \d+\s*\f/g, "").replaceAll(/\s/g, "");
  const texts = await tab.evaluate(() => {
    const all = document.querySelectorAll("main :is(h1, h2, h3, p, dt, dd, li, th, td, caption, summary, pre)");
    const smallest = [...all].filter((element) => !element.querySelector("li") && !element.closest("nav"));
    return smallest.map((element) => element.textContent.replaceAll(/\s/g, ""));
  });
  const missing = [...new Set(texts)].filter((text) => !page.hostile && !paper.includes(text));
  if (read.status !== 0 || missing.length > 0) {
    report(`${missing.length} of ${texts.length} texts are not on paper: ${missing.slice(0, 5).join(" | ")}`);
  }
  for (const text of page.texts) {
    if (!paper.includes(text)) {
      report(`${text} is not on paper`);
    }
  }
}

async function check(browser, page, folder, pictures) {
  const sights = ["light", "dark"].flatMap((colorScheme) => [WIDE, NARROW].map((viewport) => ({ colorScheme, viewport })));
  for (const sight of page.name === "plan" ? sights : [sights[0], sights[3]]) {
    await visit(browser, page, sight, async (tab, report) => {
      if (pictures) {
        const name = `${page.name}-${sight.colorScheme}-${sight.viewport.width}.png`;
        await tab.screenshot({ path: join(pictures, name), fullPage: !page.large });
      }
      await fits(tab, report);
      // Of many rows more than of a few, it would learn nothing.
      if (!page.large) {
        await obeysTheRules(tab, report);
      }
    });
  }
  await visit(browser, page, {}, async (tab, report) => {
    const text = await tab.evaluate(() => document.body.textContent);
    for (const address of page.texts.filter((address) => !text.includes(address))) {
      report(`${address} is not in it`);
    }
    for (const address of (page.absent ?? []).filter((address) => text.includes(address))) {
      report(`${address} is in it`);
    }
    await isNothingElse(tab, report);
    await isForAScreenReader(tab, report);
    await isForTheKeyboard(tab, report);
    await leadsSomewhere(tab, report);
  });
  await visit(browser, page, {}, (tab, report) => isForPaper(tab, report, page, folder));
  await isProtected(browser, page);
  // What is harmless is so by itself, and not because of the policy.
  await visit(browser, page, { bypassCSP: true }, async (tab, report) => {
    await tab.mouse.move(200, 200);
    await tab.keyboard.press("Tab");
    await isNothingElse(tab, report);
  });
}

const [binary, executablePath, pictures] = process.argv.slice(2);
if (pictures) {
  mkdirSync(pictures, { recursive: true });
}
const folder = resolve("pages");
const pages = makePages(binary, folder);
// It has a profile of its own, empty and gone afterwards.
const browser = await chromium.launch({ executablePath, args: FLAGS });
try {
  for (const page of pages) {
    const began = Date.now();
    await check(browser, page, pictures ?? folder, pictures);
    process.stdout.write(`${page.name}: looked at in ${((Date.now() - began) / 1000).toFixed(1)} s\n`);
  }
} finally {
  await browser.close();
}
if (wrong.length > 0) {
  process.stderr.write(`${[...new Set(wrong)].join("\n")}\n`);
  process.exit(1);
}
process.stdout.write(`${pages.length} pages: no request, no script, nothing out of reach, nothing missing on paper\n`);
