/** Build and development server of the pages; the product server serves `dist/client`. */
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig, type UserConfig } from "vite";

const server = "http://127.0.0.1:3000";

const pages: UserConfig = {
  root: fileURLToPath(new URL("./client", import.meta.url)),
  plugins: [react()],
  build: {
    outDir: fileURLToPath(new URL("./dist/client", import.meta.url)),
    emptyOutDir: true,
    chunkSizeWarningLimit: 600,
  },
  server: {
    proxy: {
      "/api": server,
      "/v1": server,
      "/healthz": server,
      "/readyz": server,
      "/socket.io": { target: server, ws: true },
    },
  },
};

// Vitest reads this file too where it finds no configuration of its own, and its tests live outside `client/` as well.
export default defineConfig(process.env.VITEST ? {} : pages);
