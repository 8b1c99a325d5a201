import { expect, test } from "vitest";
import { characterGrams, type FeatureShape, hashText, textFeatures } from "./features.ts";

const shape: FeatureShape = { wideBuckets: 2 ** 18, embeddingBuckets: 2 ** 16, windowWords: 4 };

test("hashes agree with an implementation in another language", () => {
  // FNV-1a over UTF-16 units with MurmurHash3's finaliser, computed in Python.
  expect(hashText("", 0)).toBe(2872998923);
  expect(hashText("a", 0)).toBe(444641715);
  expect(hashText("hello", 0x1f)).toBe(2642373510);
  expect(hashText("<he", 0x3f)).toBe(2323273642);
  expect(hashText("é😀", 0)).toBe(4159213040);
});

test("character n-grams carry the word's boundaries and leave out the whole", () => {
  expect(characterGrams("cat")).toEqual(["<ca", "cat", "at>", "<cat", "cat>"]);
  expect(characterGrams("I")).toEqual([]);
  expect(characterGrams("😀")).toEqual([]);
});

test("a window holds each word's buckets in order and a distinct set for the text", () => {
  const [window, ...others] = textFeatures("I see I", shape);
  expect(others).toEqual([]);
  const bucket = (text: string, salt: number) => hashText(text, salt) % 2 ** 16;
  expect([...(window?.offsets ?? [])]).toEqual([0, 1, 7, 8]);
  expect(window?.subwords[0]).toBe(bucket("i", 0x1f));
  expect(window?.subwords[1]).toBe(bucket("see", 0x1f));
  expect(window?.subwords.at(-1)).toBe(window?.subwords[0]);
  // "see" has itself and five n-grams.
  // Words i, see; n-grams <se see ee> <see see> (<see> is the word); pairs "< i", "i see", "see i", "i >".
  expect(window?.wide).toHaveLength(2 + 5 + 4);
  expect(window?.wide).toContain(hashText("i see", 0x2f) % 2 ** 18);
});

test("long texts are cut into windows that overlap by half and end with the text", () => {
  const windows = textFeatures("aa bb cc dd ee ff gg", shape);
  expect(windows.map((window) => window.offsets.length - 1)).toEqual([4, 4, 3]);
  expect(windows[1]?.subwords[0]).toBe(hashText("cc", 0x1f) % 2 ** 16);
  expect(textFeatures("aa bb cc dd", shape)).toHaveLength(1);
  expect(textFeatures("?!", shape)).toEqual([]);
});
