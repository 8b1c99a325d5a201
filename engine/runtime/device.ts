/** Where graphs run: a device by its name, and whether onnxruntime can use it on this machine. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import * as ort from "onnxruntime-node";
import { encodeOnnx } from "../graph/onnx-encode.ts";
import * as ops from "../graph/ops.ts";
import { type Device, DeviceError, devices } from "../types.ts";

const cudaFiles: Partial<Record<NodeJS.Platform, string>> = {
  linux: "libonnxruntime_providers_cuda.so",
  win32: "onnxruntime_providers_cuda.dll",
};

/** Asked before the runtime is, which would write its own complaints to standard error. */
function lacksCudaFiles(): boolean {
  const file = cudaFiles[process.platform];
  const entry = createRequire(import.meta.url).resolve("onnxruntime-node");
  const folder = join(dirname(entry), "..", "bin", "napi-v6", process.platform, process.arch);
  return file === undefined || !existsSync(join(folder, file));
}

const howToGetCuda =
  "its files are a separate download that .npmrc skips; on Linux x64 with CUDA 12 and cuDNN 9 " +
  "`ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node` fetches them";

/** What the runtime reports. "Bundled" says that a provider's code is there, not that a GPU and its driver are. */
function available(): string {
  return ort
    .listSupportedBackends()
    .filter(({ name }) => devices.some((device) => device === name))
    .map(({ name, bundled }) => {
      if (name === "cpu") return "cpu";
      return bundled ? `${name} with a GPU and its driver` : `${name} once downloaded`;
    })
    .join(", ");
}

function unavailable(device: Device, why: string, cause?: unknown): DeviceError {
  const message = `onnxruntime's ${device} provider is not there: ${why} (it offers: ${available()}).`;
  return new DeviceError(message, { cause });
}

/** The runtime says where in its source a condition failed before it says what is wrong. */
function reasonOf(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return text.replace(/^.*was false\. /s, "").trim();
}

/** @throws DeviceError in one sentence, if the runtime cannot start a session there */
export async function checkDevice(device: Device): Promise<void> {
  if (device === "cpu") return;
  if (!ort.listSupportedBackends().some(({ name }) => name === device)) {
    throw unavailable(device, "this platform's build has none");
  }
  if (device === "cuda" && lacksCudaFiles()) throw unavailable(device, howToGetCuda);
  const { model } = encodeOnnx({ y: ops.neg(ops.input("x", [1])) });
  try {
    const probe = await ort.InferenceSession.create(model, { executionProviders: [device], logSeverityLevel: 4 });
    await probe.release();
  } catch (cause) {
    throw unavailable(device, reasonOf(cause), cause);
  }
}
