/** Which of a classifier's labels says that a text is toxic. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

/** Beside the model, where its own names do not say it: `{"toxicLabel": "offensive"}`. */
const settingsFile = "reward.json";
const settingsSchema = z.strictObject({ toxicLabel: z.string().min(1) });

const toxicNames = new Set(["toxic", "toxicity", "hate", "hateful", "hatespeech", "offensive", "abusive", "label1"]);

const plain = (label: string) => label.toLowerCase().replace(/[^a-z0-9]/g, "");

/**
 * The one label called toxic, hate, hateful, hate speech, offensive, abusive or LABEL_1, unless reward.json names it.
 * LABEL_1 counts only beside LABEL_0 alone, where it is the usual name of what a classifier looks for.
 * @returns index of the label
 * @throws Error naming the folder and its labels where none or several could be meant
 */
export function toxicLabel(folder: string, labels: readonly string[]): number {
  const path = join(folder, settingsFile);
  const listed = labels.map((label) => JSON.stringify(label)).join(", ");
  if (existsSync(path)) {
    const { toxicLabel: name } = readSettings(path);
    const index = labels.indexOf(name);
    if (index < 0)
      throw new Error(`${path}: toxicLabel ${JSON.stringify(name)} is none of the model's labels ${listed}`);
    return index;
  }
  const found = labels.flatMap((label, index) => {
    const name = plain(label);
    return toxicNames.has(name) && (name !== "label1" || labels.length === 2) ? [index] : [];
  });
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  const why = found.length === 0 ? "none says that a text is toxic" : "several may say that a text is toxic";
  throw new Error(
    `${folder}: of the labels ${listed} ${why}; name it in ${path} as {"toxicLabel": ${JSON.stringify(labels[found[0] ?? 0])}}`,
  );
}

function readSettings(path: string): z.infer<typeof settingsSchema> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new Error(`${path}: cannot be read as JSON`, { cause });
  }
  const parsed = settingsSchema.safeParse(value);
  if (!parsed.success) throw new Error(`${path}: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
