import { expect, test } from "vitest";
import { textFeatures } from "../text/features.ts";
import { joinFeatures } from "./augment.ts";

const shape = { wideBuckets: 2 ** 18, embeddingBuckets: 2 ** 16, windowWords: 8 };
const features = (text: string) => textFeatures(text, shape)[0] ?? expect.fail("a text has a window");

test("joined features are those of the joined text but for the pairs at the seam", () => {
  const joined = joinFeatures(features("good morning"), features("dear friends"), 8);
  const whole = features("good morning dear friends");
  expect(joined.subwords).toEqual(whole.subwords);
  expect(joined.offsets).toEqual(whole.offsets);
  const seam = [...joined.wide].filter((bucket) => !whole.wide.includes(bucket));
  expect(seam).toHaveLength(2); // "morning >" and "< dear"
});

test("the second text is cut to the room that is left", () => {
  const joined = joinFeatures(features("good morning"), features("dear friends"), 3);
  expect(joined.offsets).toEqual(features("good morning dear").offsets);
  expect(joinFeatures(features("good morning"), features("dear friends"), 2)).toEqual(features("good morning"));
});
