import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { byteCharacters, countPreTokens, trainBpe } from "./bpe.ts";
import { MaxHeap } from "./bpe-heap.ts";
import { specialTokens } from "./chat-format.ts";

function merges(counts: Record<string, number>, merged: number, minFrequency?: number): string[] {
  const options = { vocabSize: 256 + merged, specialTokens: [], minFrequency };
  const { tokens, merges } = trainBpe(new Map(Object.entries(counts)), options);
  return merges.map(([left, right]) => `${tokens[left]} ${tokens[right]}`);
}

describe("countPreTokens", () => {
  it("splits as GPT-2 does: contractions, and words, numbers and symbols with the space before them", () => {
    expect([...countPreTokens(["I don't  pay 30 dollars...  \n", "I"])]).toEqual([
      ["I", 2],
      [" don", 1],
      ["'t", 1],
      [" ", 1],
      [" pay", 1],
      [" 30", 1],
      [" dollars", 1],
      ["...", 1],
      ["  \n", 1],
    ]);
  });
});

describe("byteCharacters", () => {
  it("stands a printable character for each byte, as GPT-2's table does", () => {
    const characters = byteCharacters();
    expect(new Set(characters).size).toBe(256);
    expect([characters[0x41], characters[0x20], characters[0x0a], characters[0xe9], characters[0xad]]).toEqual([
      "A",
      "Ġ",
      "Ċ",
      "é",
      "Ń",
    ]);
  });
});

describe("trainBpe", () => {
  it("learns the merges of Sennrich et al. 2016, figure 1", () => {
    // There with an end-of-word mark, here without: low x5, lower x2, newest x6, widest x3.
    // e+s 9 (es), es+t 9, l+o 7, lo+w 7, then e+w, n+ew, new+est 6 each.
    // Of equal counts the pair with the smaller ids goes first: e+w before n+e and w+est.
    expect(merges({ low: 5, lower: 2, newest: 6, widest: 3 }, 7)).toEqual([
      "e s",
      "es t",
      "l o",
      "lo w",
      "e w",
      "n ew",
      "new est",
    ]);
  });

  it("counts overlapping repetitions as the merge takes them", () => {
    // "aaaa" holds the pair three times; after the merge it is "aa aa".
    expect(merges({ aaaa: 4 }, 3)).toEqual(["a a", "aa aa"]);
  });

  it("stops at pairs that are seen too rarely", () => {
    expect(merges({ ab: 3, cd: 2, ef: 1 }, 10)).toEqual(["a b", "c d"]);
    expect(merges({ ab: 3, cd: 2, ef: 1 }, 10, 3)).toEqual(["a b"]);
    expect(merges({ ab: 3, cd: 2, ef: 1 }, 1)).toEqual(["a b"]);
  });

  it("learns the same merges as the Rust tokenizers trainer", () => {
    // tokenizers 0.23.3: BpeTrainer(vocab_size=340, min_frequency=2, initial_alphabet=ByteLevel.alphabet()).
    const lines = [
      "low low low low low lower lower newest newest newest newest newest newest widest widest widest",
      "It's the kettle's turn: the kettle whistles, the cat listens, and they don't mind the noise.",
      "Don't the neighbours mind? They'd rather hear the kettle than the news at 10:30, 11:30 or 12:30.",
      "The café's “quiet hour” is at noon 🙂🙂 the café’s “loud hour” is at nine 🙂",
    ];
    const expected =
      "h e,s t,Ġ n,Ġ t,e st,Ġt he,l o,Ġn e,lo w,Ġne w,Ġ low,Ġnew est,a t,â Ģ,e t,l e,u r,Ġ w,' s,3 0,d est,i n,i s," +
      "i dest,k et,o n,o ur,t le,ð Ł,Ġ 1,Ġ c,Ġ at,Ġ ket,Ļ Ĥ,Ġw idest,ðŁ ĻĤ,Ġket tle,' t,T he,a f,a n,e r,h our," +
      "i st,m in,Ã ©,Ġ âĢ,Ġ is,Ġ ðŁĻĤ,Ġ hour,Ġ min,Ġn o,Ġlow er,âĢ Ŀ,Ġc af,ĠâĢ ľ,Ġmin d,Ġcaf Ã©";
    const { tokens, merges } = trainBpe(countPreTokens(lines), { vocabSize: 340, specialTokens });
    expect(merges.map(([left, right]) => `${tokens[left]} ${tokens[right]}`).join()).toBe(expected);
    expect(tokens.slice(0, 6)).toEqual(["<|endoftext|>", "<|user|>", "<|assistant|>", "<|end|>", "!", '"']);
  });

  it("refuses a vocabulary that cannot hold the bytes or does not fit 16 bits", () => {
    const train = (vocabSize: number) => trainBpe(new Map(), { vocabSize, specialTokens });
    expect(() => train(259)).toThrow("vocabSize: expected an integer from 260 to 65536, got 259");
    expect(() => train(65_537)).toThrow(RangeError);
  });
});

describe("MaxHeap", () => {
  it("yields what was pushed by falling priority and, among equals, rising key", () => {
    const entry = fc.record({ priority: fc.integer({ min: 0, max: 5 }), key: fc.integer({ min: 0, max: 20 }) });
    fc.assert(
      fc.property(fc.array(entry), (entries) => {
        const heap = new MaxHeap();
        for (const { priority, key } of entries) heap.push(priority, key);
        const sorted = entries.toSorted((a, b) => b.priority - a.priority || a.key - b.key);
        expect(entries.map(() => heap.pop())).toEqual(sorted);
        expect(heap.pop()).toBeUndefined();
      }),
    );
  });
});
