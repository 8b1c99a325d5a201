/**
 * The three pages in a real browser, on the real server with the embedded models. Needs a built client, Chromium (its
 * path in CHROMIUM, else where Debian puts it) and the models' weights; without them it skips, aloud.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, BrowserContext, Page as Tab } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ExchangeSummary, Page, ServerStatus } from "../server/protocol/index.ts";
import { hearComplaints, launchBrowser, missingForPages, sayOnPage } from "./support/browser.ts";

const project = join(import.meta.dirname, "..");
const missing = missingForPages(
  join(project, "models", "rejoinder-tiny", "model.safetensors"),
  join(project, "models", "toxicity-small", "model.safetensors"),
);

interface Server {
  url: string;
  process: ChildProcess;
}

async function startServer(dataDir: string, port = "0"): Promise<Server> {
  const child = spawn(process.execPath, [join(project, "server", "main.ts")], {
    env: { ...process.env, PORT: port, HOST: "127.0.0.1", DATA_DIR: dataDir, LOG_LEVEL: "warn" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const url = await new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        output += chunk.toString();
        const match = /Rejoinder is listening on (http:\/\/\S+)/.exec(output);
        if (match?.[1]) resolve(match[1]);
      });
    }
    child.once("exit", (code) =>
      reject(new Error(`The server ended with code ${code} before it was ready:\n${output}`)),
    );
  });
  return { url, process: child };
}

async function stopServer(server: Server): Promise<void> {
  if (server.process.exitCode !== null) return;
  const ended = once(server.process, "exit");
  server.process.kill("SIGTERM");
  await ended;
}

describe.runIf(missing.length === 0)("the pages in a browser", { timeout: 60_000 }, () => {
  const dataDir = mkdtempSync(join(tmpdir(), "rejoinder-pages-"));
  let server: Server;
  let browser: Browser;
  let context: BrowserContext;
  let tab: Tab;
  let complaints: string[];

  beforeAll(async () => {
    server = await startServer(dataDir);
    browser = await launchBrowser();
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
    if (server) await stopServer(server);
    rmSync(dataDir, { recursive: true, force: true });
  }, 60_000);

  beforeEach(async () => {
    context = await browser.newContext({ viewport: { width: 1280, height: 800 }, baseURL: server.url });
    tab = await context.newPage();
    complaints = hearComplaints(tab);
  });

  afterEach(() => context.close());

  async function getJson<Body>(path: string, headers: Record<string, string> = {}): Promise<Body> {
    return (await (await fetch(server.url + path, { headers })).json()) as Body;
  }

  const say = (text: string) => sayOnPage(tab, text);

  it("streams a reply that is the logged one, with toxicity and adapter, and keeps it over a reload", async () => {
    await tab.goto("/");
    const shown = await say("Nobody wants your religion in this town.");
    const { items } = await getJson<Page<ExchangeSummary>>("/api/annotation/queue");
    const logged = items[0];
    expect(logged?.messages.at(-1)).toEqual({ role: "user", content: "Nobody wants your religion in this town." });
    expect(logged?.consent).toBe(false);
    expect(shown).toBe(logged?.reply);

    const reply = tab.getByRole("article", { name: "Reply" });
    const { adapter } = await getJson<ServerStatus>("/api/status");
    await expectText(reply, `${adapter.name}@${adapter.version} · ${adapter.sha256.slice(0, 7)}`);
    await expectText(reply, `${logged?.toxicity?.reply.toFixed(2)}`);
    await expectText(tab.getByRole("article", { name: "You wrote" }), `${logged?.toxicity?.prompt.toFixed(2)}`);
    // The final text is announced once, politely.
    await expectText(tab.locator("[aria-live=polite]"), shown);

    expect(new URL(tab.url()).pathname).toBe(`/c/${logged?.conversationId}`);
    await tab.reload();
    await expectText(tab.getByRole("article", { name: "Reply" }), shown);
    expect(complaints).toEqual([]);
  });

  it("sends consent only when it was given, and a rating that can be taken back", async () => {
    await tab.goto("/");
    await tab.getByLabel("May this conversation be used for training?").click();
    await say("Women are too emotional to lead anything.");
    const good = tab.getByRole("button", { name: "Good reply" });
    const logged = async () => {
      const { items } = await getJson<Page<ExchangeSummary>>("/api/annotation/queue");
      return items.find(({ messages }) => messages.at(-1)?.content.startsWith("Women"));
    };
    expect(await logged()).toMatchObject({ consent: true, feedback: 0 });
    await good.click();
    await expect.poll(async () => (await logged())?.feedback).toBe(1);
    await good.click();
    await expect.poll(async () => (await logged())?.feedback).toBe(0);
    expect(complaints).toEqual([]);
  });

  it("renames and deletes a conversation by keyboard", async () => {
    await tab.goto("/");
    await say("People like you should go back to where they came from.");
    const menu = tab.getByRole("button", { name: /^Actions for/ });
    await menu.focus();
    await tab.keyboard.press("Enter");
    await tab.getByRole("menuitem", { name: "Rename" }).press("Enter");
    await tab.getByLabel("Title of the conversation").fill("On belonging");
    await tab.keyboard.press("Enter");
    await tab.getByRole("link", { name: "On belonging" }).waitFor();
    await menu.focus();
    await tab.keyboard.press("Enter");
    await tab.getByRole("menuitem", { name: "Delete" }).press("Enter");
    await tab.getByRole("dialog").getByRole("button", { name: "Delete" }).press("Enter");
    await tab.getByText("Conversations are kept in this browser").waitFor();
    expect(new URL(tab.url()).pathname).toBe("/");
  });

  it("shows why a message was refused and gives it back for editing", async () => {
    await tab.goto("/");
    const tooLong = "a".repeat(20_000);
    await tab.getByRole("textbox", { name: "Your message" }).fill(tooLong);
    await tab.keyboard.press("Enter");
    await tab.getByText("The message is too long").waitFor();
    await tab.getByRole("button", { name: "Edit the message" }).click();
    const composer = tab.getByRole("textbox", { name: "Your message" });
    await expect.poll(() => composer.inputValue(), { timeout: 10_000 }).toBe(tooLong);
  });

  it("goes on with a conversation after the server was restarted", async () => {
    await tab.goto("/");
    await say("Old people are a burden.");
    await stopServer(server);
    await tab.getByText("Connecting…").waitFor();
    // Written while there is no server: it goes out when there is one.
    await tab.getByRole("textbox", { name: "Your message" }).fill("They should not vote.");
    await tab.keyboard.press("Enter");
    await tab.getByText("Waiting for the connection").waitFor();
    server = await startServer(dataDir, new URL(server.url).port);
    await tab.getByRole("article", { name: "Reply" }).nth(1).getByRole("button", { name: "Good reply" }).waitFor();
    const { items } = await getJson<Page<ExchangeSummary>>("/api/annotation/queue");
    const second = items.filter(({ messages }) => messages.at(-1)?.content === "They should not vote.");
    expect(second).toHaveLength(1);
    expect(second[0]?.messages.filter(({ role }) => role === "user")).toHaveLength(2);
  });

  it("labels the queue by keyboard", async () => {
    const asAda = { "x-annotator": "Ada" };
    const before = await getJson<Page<ExchangeSummary>>("/api/annotation/queue", asAda);
    expect(before.total).toBeGreaterThan(0);
    await tab.goto("/annotate");
    await tab.getByLabel("Your name").fill("Ada");
    await tab.keyboard.press("Enter");
    await tab.getByText(`0 judged, ${before.total} waiting`).waitFor();
    await tab.keyboard.press("4");
    await tab.keyboard.press("Shift+Digit2");
    await tab.keyboard.press("r");
    await tab.keyboard.type("A kinder reply.");
    await tab.keyboard.press("Escape");
    await tab.keyboard.press("Enter");
    await tab.getByText(`1 judged, ${before.total - 1} waiting`).waitFor();
    const all = await getJson<Page<ExchangeSummary>>("/api/annotation/queue?judged=include", asAda);
    const judged = all.items.flatMap(({ annotations }) => annotations);
    expect(judged).toMatchObject([
      { annotator: "Ada", label: "good", severity: 2, rewrite: "A kinder reply.", note: null },
    ]);
    expect(complaints).toEqual([]);
  });

  it("shows what the server runs, and live how a run ends", async () => {
    const status = await getJson<ServerStatus>("/api/status");
    await tab.goto("/operate");
    await tab.getByRole("region", { name: "Server" }).getByText(status.model.id).waitFor();
    await tab.getByText("Live", { exact: true }).waitFor();
    for (const title of ["Server", "Training", "Adapters", "Deployments", "Alerts"]) {
      await tab.getByRole("heading", { name: title }).waitFor();
    }
    // At most one exchange of this file has consent, too few to train on: the run fails, and the page hears of it.
    await tab.getByRole("button", { name: "Start a PPO run" }).click();
    const why = /Expected at least \d+ complete exchanges with consent/;
    await tab.getByRole("row").filter({ hasText: why }).getByText("failed", { exact: true }).waitFor();
    expect(complaints).toEqual([]);
  });

  it("follows the system's colour scheme and fits a phone", async () => {
    await tab.setViewportSize({ width: 390, height: 844 });
    const backgrounds = new Set<string>();
    for (const colorScheme of ["light", "dark"] as const) {
      await tab.emulateMedia({ colorScheme });
      for (const path of ["/", "/annotate", "/operate"]) {
        await tab.goto(path);
        await tab.getByRole("heading", { level: 1 }).waitFor();
        const page = await tab.evaluate(() => ({
          overflow: document.documentElement.scrollWidth - window.innerWidth,
          background: getComputedStyle(document.body).backgroundColor,
        }));
        expect(page.overflow, `${path} is wider than the screen by`).toBeLessThanOrEqual(0);
        backgrounds.add(page.background);
      }
    }
    expect(backgrounds.size).toBe(2);
  });

  async function expectText(locator: ReturnType<Tab["locator"]>, text: string): Promise<void> {
    await expect.poll(async () => (await locator.allTextContents()).join("\n")).toContain(text);
  }
});
