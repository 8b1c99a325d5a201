/** What the Hugging Face Hub, or a server that speaks its API, says about a model. */
import { HubApiError, listFiles, modelInfo } from "@huggingface/hub";
import { HubError } from "./hub-error.ts";
import type { HubFile } from "./needed-files.ts";

export interface HubAccess {
  /** Without a slash at the end. */
  url: string;
  token?: string;
}

export interface HubModel {
  /** As `organisation/name`. */
  name: string;
  /** Hash of the commit that a branch or tag stood for, so that all files are of one state. */
  commit: string;
  files: HubFile[];
}

/** What a refusal by the hub means to the one who asked. */
export function explainStatus(status: number, what: string, { url, token }: HubAccess): string {
  if (status === 401 || status === 403) {
    const advice =
      token === undefined
        ? "set HF_TOKEN to an access token"
        : "the token of HF_TOKEN may not read it; a gated model's terms are accepted on its page";
    return `${url} refuses ${what} (${status}): it is private, gated or does not exist; ${advice}`;
  }
  if (status === 404) return `${url} knows no ${what} (404): check the name and the revision`;
  if (status === 429) return `${url} has had too many requests for ${what} (429): try again later`;
  return `${url} answered ${status} for ${what}`;
}

function explain(error: unknown, what: string, access: HubAccess): HubError {
  if (error instanceof HubApiError)
    return new HubError(explainStatus(error.statusCode, what, access), { cause: error });
  if (error instanceof TypeError && /token/i.test(error.message)) return new HubError(`HF_TOKEN: ${error.message}`);
  const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : "";
  return new HubError(`${access.url} cannot be reached for ${what}${cause}`, { cause: error });
}

/** @throws HubError */
export async function readHubModel(name: string, revision: string, access: HubAccess): Promise<HubModel> {
  const what = `${name} at ${revision}`;
  const request = { hubUrl: access.url, ...(access.token === undefined ? {} : { accessToken: access.token }) };
  try {
    const { sha } = await modelInfo({ ...request, name, revision, additionalFields: ["sha"] });
    const files: HubFile[] = [];
    const listing = listFiles({ ...request, repo: { type: "model", name }, revision: sha, recursive: true });
    for await (const { type, path, size, oid, lfs } of listing) {
      if (type !== "file") continue;
      const checksum = lfs === undefined ? { kind: "git-blob" as const, value: oid ?? "" } : sha256(lfs.oid);
      files.push({ path, size: lfs?.size ?? size, checksum });
    }
    return { name, commit: sha, files };
  } catch (error) {
    throw explain(error, what, access);
  }
}

const sha256 = (oid: string) => ({ kind: "sha256" as const, value: oid.replace(/^sha256:/, "") });
