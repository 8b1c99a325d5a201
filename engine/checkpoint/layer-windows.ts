/** Which layers look back through a sliding window, by `layer_types` or by the rule that a family has without it. */
import type { ConfigEntries } from "./config-entries.ts";

const kinds = ["full_attention", "sliding_attention"] as const;
type Kind = (typeof kinds)[number];
const isKind = (value: unknown): value is Kind => kinds.some((kind) => kind === value);

/** The window of each layer (tokens), null where it sees everything. */
export function readWindows(
  entries: ConfigEntries,
  layers: number,
  { window, slides }: { window: number | null; slides: (layer: number) => boolean },
): (number | null)[] {
  const listed = entries.list("layer_types", layers, `names out of ${kinds.join(", ")}`, isKind);
  return Array.from({ length: layers }, (_, layer) => {
    const sliding = listed === undefined ? window !== null && slides(layer) : listed[layer] === "sliding_attention";
    if (sliding && window === null) entries.refuse("layer_types", "layers slide, but sliding_window is not set");
    return sliding ? window : null;
  });
}
