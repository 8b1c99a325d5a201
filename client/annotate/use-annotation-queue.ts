/** Where the annotator stands in the queue, the drafts of all its replies, and what was handed in. */
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { fetchQueue, submitAnnotation } from "./annotation-api.ts";
import { type DraftHistory, type DraftStep, emptyDraft, requestOf, stepDraft } from "./annotation-draft.ts";

export function useAnnotationQueue(annotator: string) {
  const queue = useQuery({
    queryKey: ["annotation-queue", annotator],
    queryFn: ({ signal }) => fetchQueue(annotator, signal),
    // The list must not move under the annotator: it is fetched anew only at its end.
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
  });
  const [position, setPosition] = useState(0);
  const [drafts, setDrafts] = useState<ReadonlyMap<string, DraftHistory>>(new Map());
  const [handedIn, setHandedIn] = useState<ReadonlySet<string>>(new Set());
  const items = queue.data?.items ?? [];
  const current = items[position];
  const history = (current && drafts.get(current.id)) ?? emptyDraft;

  const refresh = async () => {
    await queue.refetch();
    setPosition(0);
  };
  const move = (by: number) => setPosition((from) => Math.min(Math.max(from + by, 0), Math.max(items.length - 1, 0)));
  const change = (step: DraftStep) => {
    if (current) setDrafts((all) => new Map(all).set(current.id, stepDraft(all.get(current.id) ?? emptyDraft, step)));
  };

  const submission = useMutation({
    mutationFn: async () => {
      const request = requestOf(history.draft);
      if (!current || !request) throw new Error("Choose a label first.");
      await submitAnnotation(current.id, annotator, request);
      return current.id;
    },
    onSuccess: async (id) => {
      setHandedIn((all) => new Set(all).add(id));
      if (position + 1 < items.length) setPosition(position + 1);
      else await refresh();
    },
  });

  return {
    items,
    position,
    current,
    draft: history.draft,
    canUndo: history.past.length > 0,
    isHandedIn: current !== undefined && handedIn.has(current.id),
    handedIn: handedIn.size,
    waiting: Math.max(0, (queue.data?.total ?? 0) - items.filter((item) => handedIn.has(item.id)).length),
    isLoading: queue.isPending,
    error: queue.error,
    submitError: submission.error,
    isSubmitting: submission.isPending,
    submit: () => {
      if (!submission.isPending && current) submission.mutate();
    },
    move: (by: number) => {
      submission.reset();
      move(by);
    },
    change,
    refresh,
  };
}

export type AnnotationQueue = ReturnType<typeof useAnnotationQueue>;
