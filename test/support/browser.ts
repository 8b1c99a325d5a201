/** Debian's Chromium for tests of the pages: where it is, how it is started, and what is missing where it cannot be. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Browser, chromium, type Page as Tab } from "playwright-core";
import { projectFolder } from "./running-server.ts";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";

const flags = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Of the browser, the built client and the files that the caller needs besides, those that are not there; said aloud. */
export function missingForPages(...others: string[]): string[] {
  const client = join(projectFolder, "dist", "client", "index.html");
  const missing = [executablePath, client, ...others].filter((path) => !existsSync(path));
  for (const path of missing) console.warn(`SKIPPED: the pages are not tried in a browser, because ${path} is missing`);
  return missing;
}

export const launchBrowser = (): Promise<Browser> => chromium.launch({ executablePath, args: flags });

/** What the browser complains of from now on: exceptions, failed loads, violations of the content security policy. */
export function hearComplaints(tab: Tab): string[] {
  const complaints: string[] = [];
  tab.on("pageerror", (error) => complaints.push(error.message));
  tab.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  return complaints;
}

/** Sends a message on the chat page and waits until its reply is complete; returns the text as the page shows it. */
export async function sayOnPage(tab: Tab, text: string): Promise<string> {
  const replies = tab.getByRole("article", { name: "Reply" });
  const before = await replies.count();
  await tab.getByRole("textbox", { name: "Your message" }).fill(text);
  await tab.keyboard.press("Enter");
  const reply = replies.nth(before);
  await reply.getByRole("button", { name: "Good reply" }).waitFor();
  return (await reply.locator("p").first().textContent()) ?? "";
}
