/** The server's annotation routes. */
import type { Annotation, AnnotationRequest, ExchangeSummary, Page } from "../../server/protocol/index.ts";
import { fetchJson } from "../http/fetch-json.ts";
import { headerText } from "../http/header-text.ts";

const headersOf = (annotator: string) => ({ "x-annotator": headerText(annotator) });

/** Replies that this annotator has not judged. */
export function fetchQueue(annotator: string, signal: AbortSignal): Promise<Page<ExchangeSummary>> {
  return fetchJson("/api/annotation/queue?limit=50", { headers: headersOf(annotator), signal });
}

/** Hands a judgement in; a second one by the same annotator replaces the first. */
export function submitAnnotation(
  exchangeId: string,
  annotator: string,
  request: AnnotationRequest,
): Promise<Annotation> {
  const path = `/api/exchanges/${encodeURIComponent(exchangeId)}/annotations`;
  return fetchJson(path, { method: "POST", headers: headersOf(annotator), body: request });
}
