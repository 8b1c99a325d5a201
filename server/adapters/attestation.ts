/** After a swap: does the engine serve what was trained? */
import type { Engine } from "../../engine/types.ts";
import type { AdapterLease, FanOut } from "../ports.ts";
import type { AdapterIdentity } from "../protocol/index.ts";
import type { AdapterCatalog } from "./catalog.ts";
import { maxProbeDifference, probeAdapter } from "./probe.ts";

export interface AttestationOptions {
  catalog: AdapterCatalog;
  engine: Pick<Engine, "model" | "score">;
  acquire(identity: AdapterIdentity): Promise<AdapterLease>;
  fanOut: FanOut;
  now: () => Date;
  onError: (error: unknown) => void;
}

export interface Attestation {
  /**
   * Mean |served - trained| log-prob (nats) on the sample stored with the adapter, and how large it may be for the
   * precisions of training and serving; null when there is no sample.
   */
  measure(version: number): Promise<{ difference: number; limit: number } | null>;
  /** Tells operators of a difference beyond tolerance, and returns it in words; null when there is none. */
  attest(identity: AdapterIdentity): Promise<string | null>;
}

export function createAttestation(options: AttestationOptions): Attestation {
  const { catalog, engine, acquire, fanOut, now, onError } = options;

  const measure: Attestation["measure"] = async (version) => {
    const adapter = await catalog.find(version);
    const { manifest } = await catalog.verified(adapter);
    if (manifest.probe === undefined) return null;
    const limit = maxProbeDifference(manifest.baseModel.quantization, engine.model.quantization);
    const lease = await acquire(adapter);
    try {
      return { difference: await probeAdapter(engine, adapter.sha256, manifest.probe), limit };
    } finally {
      lease.release();
    }
  };

  return {
    measure,

    async attest({ name, version }) {
      if (version === 0) return null;
      const alert = (code: string, what: string) => {
        fanOut.ops("alert", { at: now().toISOString(), code, message: `${name}@${version}: ${what}` });
      };
      try {
        const measured = await measure(version);
        if (measured === null || measured.difference <= measured.limit) return null;
        const mean = measured.difference.toFixed(4);
        const mismatch = `served log-probs differ from the trainer's by ${mean} nats on average, more than ${measured.limit}`;
        alert("adapter_probe_mismatch", mismatch);
        return mismatch;
      } catch (error) {
        onError(error);
        alert("adapter_probe_failed", error instanceof Error ? error.message : String(error));
        return null;
      }
    },
  };
}
