import { expect, it } from "vitest";
import { headerText } from "./header-text.ts";

it("leaves Latin-1 as it is and encodes the rest, so that the browser takes it as a header", () => {
  for (const name of ["Ada", "Åsa Öberg", "50%"]) expect(headerText(name)).toBe(name);
  expect(headerText("Юлия")).toBe("%D0%AE%D0%BB%D0%B8%D1%8F");
  expect(() => new Headers({ "x-annotator": headerText("Юлия 李") })).not.toThrow();
});
