const titles: Record<string, string> = {
  busy: "The server is busy",
  message_too_long: "The message is too long",
  cut: "The reply broke off",
  unknown_conversation: "The server no longer knows this conversation",
  not_sent: "The message was not sent",
};

/** What happened, in a few words; the server's own message follows it. */
export function failureTitle(code: string | undefined, hasText: boolean): string {
  return titles[code ?? ""] ?? (hasText ? "The reply broke off" : "There is no reply");
}
