/** Text as an HTTP header can carry it: headers hold Latin-1 only, so anything else travels percent-encoded. */
export function headerText(text: string): string {
  return /^[\x20-\x7e\xa0-\xff]*$/.test(text) ? text : encodeURIComponent(text);
}
