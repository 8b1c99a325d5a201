import { Loader } from "@mantine/core";

/** Shown while a page's code is on its way. */
export function PageFallback() {
  return (
    <div style={{ display: "grid", placeItems: "center", height: "60%" }}>
      <Loader type="dots" aria-label="Loading the page" />
    </div>
  );
}
