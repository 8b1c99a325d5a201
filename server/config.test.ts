import { isAbsolute } from "node:path";
import { expect, test } from "vitest";
import { readConfig } from "./config.ts";

test("nothing set gives the documented defaults", () => {
  const config = readConfig({});
  expect(config).toMatchObject({
    port: 3000,
    host: "127.0.0.1",
    consentDefault: false,
    maxConcurrent: 8,
    maxQueue: 64,
    maxMessageChars: 8000,
    retrainCron: undefined,
    retrainMinExchanges: undefined,
  });
  for (const folder of [config.dataDir, config.modelDir]) expect(isAbsolute(folder)).toBe(true);
});

test("flags win over the environment, and an empty variable counts as unset", () => {
  const environment = { PORT: "1", HOST: "", CONSENT_DEFAULT: "true", RETRAIN_MIN_EXCHANGES: "64" };
  expect(readConfig(environment, ["--port", "0", "--max-queue=3"])).toMatchObject({
    port: 0,
    host: "127.0.0.1",
    consentDefault: true,
    maxQueue: 3,
    retrainMinExchanges: 64,
  });
});

test.each([
  [{ PORT: "http" }, "PORT=http: expected a whole number from 0 to 65535."],
  [{ PORT: "65536" }, "PORT=65536: expected a whole number from 0 to 65535."],
  [{ RETRAIN_CRON: "every day" }, "RETRAIN_CRON=every day: expected a cron expression such as 0 3 * * *."],
  [{ CONSENT_DEFAULT: "yes" }, "CONSENT_DEFAULT=yes: expected true or false."],
  [{ QUANTIZATION: "int2" }, "QUANTIZATION=int2: expected one of none, int8, int4."],
  [{ DEVICE: "gpu" }, "DEVICE=gpu: expected one of cpu, cuda, webgpu."],
  [{ REDIS_URL: "http://secret@host" }, "REDIS_URL=…: expected a URL such as redis://127.0.0.1:6379."],
  [{ REDIS_URL: "secret" }, "REDIS_URL=…: expected a URL such as redis://127.0.0.1:6379."],
  [{ TRAINER: "worker" }, "TRAINER=worker: needs REDIS_URL, through which server and workers meet."],
  [{ PUBLIC_CHAT: "false" }, "PUBLIC_CHAT=false: false is not supported in this version: there is no sign-in yet."],
])("a bad setting %o ends the start with one sentence that names it", (environment, sentence) => {
  expect(() => readConfig(environment)).toThrow(sentence);
});

test("an unknown flag is named together with those that exist", () => {
  expect(() => readConfig({}, ["--prot", "1"])).toThrow(/--prot.*--port/);
});
