/** Tests lie beside what they test, and in `test/` where they cross folders. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["{engine,datasets,reward,trainer,server,client,test,bench,scripts}/**/*.test.{ts,tsx}"],
    // Native code of the tensor runtime and its threads: processes keep a crash or a leak to one file.
    pool: "forks",
    // A busy machine is slow, not wrong.
    testTimeout: 30_000,
  },
});
