import { beforeEach, describe, expect, it } from "vitest";
import { EventFrames } from "./event-frames.ts";
import type { WireReplyEvent } from "./messages.ts";

let clock: number;
let sent: WireReplyEvent[][];
let frames: EventFrames;
beforeEach(() => {
  clock = 1000;
  sent = [];
  frames = new EventFrames(
    (events) => sent.push(events),
    () => clock,
  );
});

const chunk = (id: number, token: number): WireReplyEvent => ({
  id,
  chunk: { tokens: [token], logProbs: [-token], text: `${token} ` },
});
const result = (id: number): WireReplyEvent => ({
  id,
  result: { tokens: [], logProbs: [], text: "", finishReason: "stop" },
});

function step(...events: WireReplyEvent[]): void {
  for (const event of events) frames.add(event);
  frames.sendDue(true);
  clock += 5;
}

describe("EventFrames", () => {
  it("sends the first token at once and the next ones a frame at a time, joined by reply", () => {
    step(chunk(1, 1), chunk(2, 1));
    expect(sent).toEqual([[chunk(1, 1), chunk(2, 1)]]);
    for (const token of [2, 3, 4, 5]) step(chunk(1, token), chunk(2, token));
    expect(sent).toHaveLength(2);
    const four = { tokens: [2, 3, 4, 5], logProbs: [-2, -3, -4, -5], text: "2 3 4 5 " };
    expect(sent[1]).toEqual([
      { id: 1, chunk: four },
      { id: 2, chunk: four },
    ]);
  });

  it("lets no token wait that comes a frame after the last", () => {
    step(chunk(1, 1));
    clock += 20;
    step(chunk(1, 2));
    clock += 20;
    step(chunk(1, 3));
    expect(sent).toEqual([[chunk(1, 1)], [chunk(1, 2)], [chunk(1, 3)]]);
  });

  it("sends all there is when a reply begins, ends or fails", () => {
    step(chunk(1, 1));
    step(chunk(1, 2));
    step(chunk(2, 1));
    expect(sent[1]).toEqual([chunk(1, 2), chunk(2, 1)]);
    step(chunk(1, 3), result(1));
    expect(sent[2]).toEqual([chunk(1, 3), result(1)]);
    const failure: WireReplyEvent = { id: 2, error: { code: "internal", message: "broke" } };
    step(chunk(2, 2), failure);
    expect(sent[3]).toEqual([chunk(2, 2), failure]);
  });

  it("sends all there is before other work", () => {
    step(chunk(1, 1));
    frames.add(chunk(1, 2));
    frames.sendDue(false);
    frames.sendDue(false);
    expect(sent).toEqual([[chunk(1, 1)], [chunk(1, 2)]]);
  });

  it("keeps the alternatives of each token", () => {
    const withAlternative = (token: number): WireReplyEvent => {
      const event = chunk(1, token);
      return "chunk" in event ? { id: 1, chunk: { ...event.chunk, alternatives: [[{ token, logProb: -1 }]] } } : event;
    };
    step(chunk(1, 1));
    step(withAlternative(2));
    step(withAlternative(3));
    step(result(1));
    const alternatives = [[{ token: 2, logProb: -1 }], [{ token: 3, logProb: -1 }]];
    expect(sent[1]).toMatchObject([{ chunk: { tokens: [2, 3], alternatives } }, { id: 1 }]);
  });
});
