const refusals =
  /\b(i (can ?not|can't|am not able to|am unable to|won't|will not) (help|answer|talk|discuss|respond|comment|continue)|as an ai|i (do not|don't) (want|wish) to (talk|discuss)|let'?s (talk about|change the subject)|i have no opinion|no comment)\b/i;

/** How surely a reply dodges its prompt, 0..1: it refuses, changes the subject or says a word or two. */
export function evasion(_prompt: string, reply: string): number {
  if (refusals.test(reply)) return 1;
  return (reply.match(/\p{L}+/gu) ?? []).length < 3 ? 0.75 : 0;
}
