/** What is wrong with untrusted input, in words: where, what was expected and what arrived. */
import type { z } from "zod";

const mostShown = 80;

function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > mostShown ? `${text.slice(0, mostShown)}…` : text;
}

/** @param issue of a parse with `reportInput` */
export function describeIssue(issue: z.core.$ZodIssue | undefined, path: string): string {
  if (issue === undefined) return `${path}: is not valid`;
  // A key that nobody asked for is named already; what arrived with it is the whole object.
  const isNamed = issue.code === "unrecognized_keys";
  return `${path}: ${issue.message}${isNamed ? "" : `, got ${shown(issue.input)}`}`;
}
