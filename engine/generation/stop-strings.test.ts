import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StopStrings } from "./stop-strings.ts";

describe("StopStrings", () => {
  it("keeps back what may begin a stop string until it is known", () => {
    const stops = new StopStrings(["<|user|>"]);
    expect(stops.push("fine <|")).toEqual({ text: "fine ", stopped: false });
    expect(stops.push("us")).toEqual({ text: "", stopped: false });
    expect(stops.push("ed")).toEqual({ text: "<|used", stopped: false });
    expect(stops.push(" <")).toEqual({ text: " ", stopped: false });
    expect(stops.flush()).toBe("<");
  });

  it("ends before the first stop string, also one that was spread over pieces", () => {
    const stops = new StopStrings(["END", "\n\n"]);
    expect(stops.push("a\n")).toEqual({ text: "a", stopped: false });
    expect(stops.push("\nb END")).toEqual({ text: "", stopped: true });
  });

  it("gives text cut at the first stop string however the text is split", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 30 });
    const stop = fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.array(letters, { maxLength: 8 }), fc.array(stop, { maxLength: 3 }), (pieces, stops) => {
        const whole = pieces.join("");
        // Which of two stop strings counts depends on which is complete first.
        const ends = stops.filter((s) => whole.includes(s)).map((s) => whole.indexOf(s) + s.length);
        const complete = Math.min(...ends);
        const reader = new StopStrings(stops);
        let text = "";
        let stopped = false;
        for (const piece of pieces) {
          const step = reader.push(piece);
          text += step.text;
          stopped = step.stopped;
          if (stopped) break;
        }
        if (!stopped) text += reader.flush();
        expect(stopped).toBe(ends.length > 0);
        expect(whole.startsWith(text)).toBe(true);
        if (!stopped) expect(text).toBe(whole);
        else expect(stops.some((s) => whole.startsWith(text + s))).toBe(true);
        if (stopped) expect(text.length).toBeLessThan(complete);
      }),
      { seed: 2 },
    );
  });
});
