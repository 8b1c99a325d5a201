/**
 * What a caller did wrong or must wait for, in words meant for them. The status is HTTP's; sockets carry code and
 * message only. Everything else that is thrown is our fault and shown as `internal`, without details.
 */
export class RequestError extends Error {
  readonly status: number;
  readonly code: string;
  readonly details?: unknown;

  constructor(status: number, code: string, message: string, options: { details?: unknown; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.status = status;
    this.code = code;
    this.details = options.details;
  }
}
