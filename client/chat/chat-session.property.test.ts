import fc from "fast-check";
import { expect, it } from "vitest";
import { ChatSession } from "./chat-session.ts";
import { ManualClock } from "./testing/manual-clock.ts";
import { MemoryStore } from "./testing/memory-store.ts";
import { type Fate, UnreliableServer } from "./testing/unreliable-server.ts";

const fate: fc.Arbitrary<Fate> = fc.oneof(
  fc.constant<Fate>({ kind: "deliver" }),
  fc.constant<Fate>({ kind: "lose" }),
  fc.constant<Fate>({ kind: "repeat" }),
  fc.record({ kind: fc.constant("delay" as const), ms: fc.integer({ min: 1, max: 120 }) }),
);

const interruption = fc.record({
  after: fc.integer({ min: 1, max: 300 }),
  lasting: fc.integer({ min: 1, max: 2_000 }),
});

it("ends with the server's tokens, once each and in order, whatever the link does", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string(), { maxLength: 12 }),
      fc.array(fate, { maxLength: 40 }),
      fc.array(interruption, { maxLength: 3 }),
      async (tokens, fates, interruptions) => {
        const clock = new ManualClock();
        const server = new UnreliableServer({ clock, tokens, fates });
        let ids = 0;
        const newId = () => `id-${++ids}`;
        const session = new ChatSession({ transport: server, store: new MemoryStore(), clock, newId, stallMs: 500 });
        const fullText = tokens.join("");
        const reply = () => session.state.conversations[0]?.exchanges[0]?.reply;
        session.subscribe(() => {
          const current = reply();
          // At every moment: the tokens before nextIndex, all of them, and nothing else.
          if (current && current.status !== "done")
            expect(current.text).toBe(tokens.slice(0, current.nextIndex).join(""));
        });

        server.connect();
        session.send(null, "Hello.", false);
        for (const { after, lasting } of interruptions) {
          await clock.advance(after);
          server.disconnect();
          await clock.advance(lasting);
          server.connect();
        }
        await clock.advance(60_000);

        expect(reply()).toMatchObject({ status: "done", text: fullText });
        expect(server.exchanges).toHaveLength(1);
      },
    ),
    { numRuns: 150 },
  );
});
