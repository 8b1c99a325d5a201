/** The engine as the settings ask for it. */
import { createEngine } from "../engine/index.ts";
import { DeviceError, type Engine } from "../engine/types.ts";
import { type Config, SettingError } from "./config.ts";

/**
 * @param onFailure called once should the engine stop working later
 * @throws SettingError if DEVICE cannot be used here; what `createEngine` throws for the rest
 */
export async function startEngine(config: Config, onFailure?: (cause: Error) => void): Promise<Engine> {
  const { modelDir, quantization, cacheDir, kvCache, device, threads, maxConcurrent, maxQueue } = config;
  try {
    return await createEngine({
      modelDir,
      quantization,
      cacheDir,
      kvCache,
      device,
      threads,
      maxConcurrent,
      // One place more than chats can take, for a shadow reply: it is never the one that makes the engine refuse a chat.
      maxQueue: maxQueue + 1,
      onFailure,
    });
  } catch (cause) {
    if (!(cause instanceof DeviceError)) throw cause;
    throw new SettingError(`DEVICE=${device}: ${cause.message}`, { cause });
  }
}
