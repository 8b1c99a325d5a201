import { describe, expect, it } from "vitest";
import { ChatSession } from "./chat-session.ts";
import type { Conversation } from "./conversation.ts";
import { ManualClock } from "./testing/manual-clock.ts";
import { MemoryStore } from "./testing/memory-store.ts";
import { servedAdapter, UnreliableServer, type UnreliableServerOptions } from "./testing/unreliable-server.ts";

const tokens = ["People", " are", " not", " their", " passport", "."];
const fullText = "People are not their passport.";

function setUp(options: Partial<UnreliableServerOptions> = {}, store = new MemoryStore()) {
  const clock = new ManualClock();
  const server = new UnreliableServer({ clock, tokens, ...options });
  let ids = 0;
  const newId = () => `id-${++ids}`;
  const session = new ChatSession({ transport: server, store, clock, newId, stallMs: 1_000 });
  const conversation = (): Conversation => {
    const first = session.state.conversations[0];
    if (!first) throw new Error("There is no conversation.");
    return first;
  };
  const reply = () => {
    const last = conversation().exchanges.at(-1);
    if (!last) throw new Error("There is no exchange.");
    return last.reply;
  };
  return { clock, server, store, session, conversation, reply };
}

describe("ChatSession", () => {
  it("streams a reply and ends with adapter, toxicity and the server's conversation id", async () => {
    const { clock, server, session, conversation, reply } = setUp();
    server.connect();
    session.send(null, "Go home.", false);
    expect(reply().status).toBe("sending");
    await clock.advance(35);
    expect(reply()).toMatchObject({ status: "streaming", text: "People are not" });
    await clock.advance(100);
    expect(reply()).toMatchObject({ status: "done", text: fullText, finishReason: "stop", adapter: servedAdapter });
    expect(conversation()).toMatchObject({ id: "conversation-1", title: "Go home." });
  });

  it("continues a conversation under the server's id and passes consent on", async () => {
    const { clock, server, session } = setUp();
    server.connect();
    const key = session.send(null, "First.", false);
    await clock.advance(200);
    session.send(key, "Second.", true);
    await clock.advance(200);
    const requests = server.exchanges.map((exchange) => exchange.request);
    expect(requests).toMatchObject([
      { text: "First.", options: { consent: false } },
      { text: "Second.", options: { consent: true }, conversationId: "conversation-1" },
    ]);
    expect(requests[0]).not.toHaveProperty("conversationId");
  });

  it("refuses a second message while a reply is under way", () => {
    const { server, session } = setUp();
    server.connect();
    const key = session.send(null, "First.", false);
    expect(() => session.send(key, "Second.", false)).toThrow("still under way");
  });

  it("sends what was written without a connection once there is one", async () => {
    const { clock, server, session, reply } = setUp();
    session.send(null, "Go home.", false);
    await clock.advance(5_000);
    expect(reply().status).toBe("sending");
    server.connect();
    await clock.advance(200);
    expect(reply()).toMatchObject({ status: "done", text: fullText });
    expect(server.exchanges).toHaveLength(1);
  });

  it("resumes after a reconnect from the next missing token", async () => {
    const { clock, server, session, reply } = setUp();
    server.connect();
    session.send(null, "Go home.", false);
    await clock.advance(35);
    server.disconnect();
    await clock.advance(200);
    expect(reply().text).toBe("People are not");
    server.connect();
    await clock.advance(20);
    expect(server.resumes).toEqual([{ exchangeId: "exchange-1", fromIndex: 3 }]);
    expect(reply()).toMatchObject({ status: "done", text: fullText });
  });

  it("asks again when a reply falls silent on a living connection", async () => {
    const lose = { kind: "lose" } as const;
    const pass = { kind: "deliver" } as const;
    // Message and acknowledgement pass; all six tokens and `done` are lost.
    const { clock, server, session, reply } = setUp({ fates: [pass, pass, lose, lose, lose, lose, lose, lose, lose] });
    server.connect();
    session.send(null, "Go home.", false);
    await clock.advance(900);
    expect(reply()).toMatchObject({ status: "streaming", text: "" });
    await clock.advance(200);
    expect(reply()).toMatchObject({ status: "done", text: fullText });
  });

  it("stops a reply, also when asked before the acknowledgement", async () => {
    const { clock, server, session, reply } = setUp({ msPerToken: 50 });
    server.connect();
    const key = session.send(null, "Go home.", false);
    session.stop(key);
    await clock.advance(1_000);
    expect(reply()).toMatchObject({ status: "done", finishReason: "cancelled" });
    expect(fullText.startsWith(reply().text)).toBe(true);
    expect(reply().text).not.toBe(fullText);
  });

  it("gives up a message that never left when it is stopped without a connection", async () => {
    const { clock, server, session, reply } = setUp();
    const key = session.send(null, "Go home.", false);
    session.stop(key);
    expect(reply()).toMatchObject({ status: "failed", error: { code: "not_sent" } });
    server.connect();
    await clock.advance(2_000);
    expect(server.exchanges).toHaveLength(0);
  });

  it("shows a refusal and sends again on retry as a new message", async () => {
    const { clock, server, session, conversation, reply } = setUp();
    server.connect();
    server.refusal = { code: "busy", message: "The queue is full." };
    const key = session.send(null, "Go home.", false);
    await clock.advance(20);
    expect(reply()).toMatchObject({ status: "failed", error: { code: "busy" } });
    server.refusal = null;
    session.retry(key, conversation().exchanges[0]?.clientMessageId ?? "");
    await clock.advance(200);
    expect(conversation().exchanges).toHaveLength(1);
    expect(reply()).toMatchObject({ status: "done", text: fullText });
  });

  it("gives a failed message back for editing and drops the emptied conversation", async () => {
    const { clock, server, store, session, conversation } = setUp();
    server.connect();
    server.refusal = { code: "message_too_long", message: "At most 8,000 characters." };
    const key = session.send(null, "Go home.", false);
    await clock.advance(20);
    expect(session.withdraw(key, conversation().exchanges[0]?.clientMessageId ?? "")).toBe("Go home.");
    expect(session.state.conversations).toEqual([]);
    expect(store.saved.size).toBe(0);
  });

  it("takes a rating back when the server refuses it", async () => {
    const { clock, server, session, conversation, reply } = setUp();
    server.connect();
    const key = session.send(null, "Go home.", false);
    await clock.advance(200);
    const { clientMessageId } = conversation().exchanges[0] ?? { clientMessageId: "" };
    const kept = session.rate(key, clientMessageId, 1);
    await clock.advance(10);
    expect(await kept).toEqual({ ok: true });
    expect(server.exchanges[0]?.rating).toBe(1);
    server.refuseFeedback = true;
    const refused = session.rate(key, clientMessageId, -1);
    expect(reply().rating).toBe(-1);
    await clock.advance(10);
    expect(await refused).toMatchObject({ ok: false });
    expect(reply().rating).toBe(1);
  });

  it("goes on with a reply after the page was closed and opened again", async () => {
    const first = setUp();
    first.server.connect();
    first.session.send(null, "Go home.", false);
    await first.clock.advance(35);
    first.session.save();

    const clock = first.clock;
    first.session.dispose();
    const session = new ChatSession({ transport: first.server, store: first.store, clock, newId: () => "new" });
    first.server.disconnect();
    first.server.connect();
    await clock.advance(200);
    expect(session.state.conversations[0]?.exchanges[0]?.reply).toMatchObject({ status: "done", text: fullText });
    expect(first.server.exchanges).toHaveLength(1);
  });

  it("keeps renamed and deleted conversations so in the store", async () => {
    const { clock, server, store, session, conversation } = setUp();
    server.connect();
    const key = session.send(null, "Go home.", false);
    session.rename(key, "  On belonging ");
    await clock.advance(1_000);
    expect(conversation().title).toBe("On belonging");
    expect(store.load()[0]?.title).toBe("On belonging");
    session.delete(key);
    await clock.advance(1_000);
    expect(session.state.conversations).toEqual([]);
    expect(store.saved.size).toBe(0);
  });

  it("tells when the browser refuses to save", async () => {
    const { clock, server, store, session } = setUp();
    server.connect();
    store.refuses = true;
    session.send(null, "Go home.", false);
    expect(session.state.storageFull).toBe(true);
    store.refuses = false;
    await clock.advance(1_000);
    expect(session.state.storageFull).toBe(false);
  });

  it("takes over what another tab saved, but not over a reply that it follows itself", async () => {
    const { clock, server, store, session, conversation, reply } = setUp();
    server.connect();
    const key = session.send(null, "Go home.", false);
    const snapshot = conversation();
    await clock.advance(35);
    store.saveInOtherTab(key, snapshot);
    expect(reply().text).toBe("People are not");
    await clock.advance(200);
    store.saveInOtherTab(key, { ...conversation(), title: "Renamed there" });
    expect(conversation().title).toBe("Renamed there");
    store.saveInOtherTab(key, null);
    expect(session.state.conversations).toEqual([]);
  });

  it("names the exchange that ended last, but none that had ended before the page was opened", async () => {
    const { clock, server, store, session, conversation } = setUp();
    server.connect();
    const key = session.send(null, "Go home.", false);
    expect(session.state.lastEnded).toBeNull();
    await clock.advance(200);
    expect(session.state.lastEnded).toEqual({ key, clientMessageId: conversation().exchanges[0]?.clientMessageId });
    server.refusal = { code: "busy", message: "The queue is full." };
    session.send(key, "Go home.", false);
    await clock.advance(200);
    expect(session.state.lastEnded).toEqual({ key, clientMessageId: conversation().exchanges[1]?.clientMessageId });
    expect(setUp({}, store).session.state.lastEnded).toBeNull();
  });

  it("remembers the adapter that went live", () => {
    const { server, session } = setUp();
    server.announce({ ...servedAdapter, version: 4 });
    expect(session.state.liveAdapter).toMatchObject({ version: 4 });
  });
});
