/** A model that cannot be fetched; the message says why and what to do, in one sentence. */
export class HubError extends Error {}
