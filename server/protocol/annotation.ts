/** What annotators say of replies, and what operators say of annotators. */

export const annotationLabels = ["toxic", "off_topic", "evasive", "good", "ok"] as const;
export type AnnotationLabel = (typeof annotationLabels)[number];

export interface Annotation {
  id: number;
  exchangeId: string;
  annotator: string;
  label: AnnotationLabel;
  severity: number | null;
  note: string | null;
  rewrite: string | null;
  createdAt: string;
  /** What an operator decided about a judgement that looked suspicious; null while nobody has. */
  review: JudgementReview | null;
}

export interface AnnotationRequest {
  label: AnnotationLabel;
  /** 1 (slight) to 5 (severe). */
  severity?: number;
  note?: string;
  /** A better reply, in the annotator's words. */
  rewrite?: string;
}

export type JudgementReview = "accepted" | "excluded";

/** GET /api/annotation/suspicions: judgements that look arranged and do not count until an operator accepts them. */
export interface AnnotationSuspicion {
  kind: "burst" | "copies";
  reason: string;
  annotators: string[];
  /** Ids of the annotations set aside. */
  annotations: number[];
  from: string;
  to: string;
}

/** Body of PUT /api/annotation/reviews. */
export interface ReviewRequest {
  annotations: number[];
  review: JudgementReview;
}
