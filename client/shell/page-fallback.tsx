import { Loader } from "@mantine/core";

/** Shown while a page's code is on its way. */
export function PageFallback() {
  return (
    <div style={{ display: "grid", placeItems: "center", height: "60%" }}>
      <Loader type="dots" role="status" aria-label="Loading the page" />
    </div>
  );
}
