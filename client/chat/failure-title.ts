const titles: Record<string, string> = {
  busy: "The server is busy",
  too_long: "The message is too long",
  not_sent: "The message was not sent",
};

/** What happened, in a few words; the server's own message follows it. */
export function failureTitle(code: string | undefined, hasText: boolean): string {
  return titles[code ?? ""] ?? (hasText ? "The reply broke off" : "There is no reply");
}
