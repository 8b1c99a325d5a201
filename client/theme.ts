/** Colours and defaults of every page: calm petrol on cool greys, in light and dark. */
import { Alert, createTheme, Drawer, type MantineColorsTuple, Modal } from "@mantine/core";

const petrol: MantineColorsTuple = [
  "#edf6f7",
  "#d9eaec",
  "#b3d5d9",
  "#8abfc6",
  "#68aeb6",
  "#4b9ba5",
  "#358893",
  "#287882",
  "#1f6670",
  "#13525b",
];

const dark: MantineColorsTuple = [
  "#d3d9dc",
  "#b7bfc3",
  "#949da2",
  "#6a7479",
  "#434c51",
  "#323a3f",
  "#262d31",
  "#1d2326",
  "#161b1e",
  "#101416",
];

export const theme = createTheme({
  primaryColor: "petrol",
  primaryShade: { light: 8, dark: 7 },
  colors: { petrol, dark },
  defaultRadius: "md",
  fontFamily:
    'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "Liberation Sans", Arial, sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace',
  headings: { fontWeight: "600", sizes: { h1: { fontSize: "1.375rem" }, h2: { fontSize: "1.0625rem" } } },
  cursorType: "pointer",
  respectReducedMotion: true,
  components: {
    Modal: Modal.extend({ defaultProps: { closeButtonProps: { "aria-label": "Close" } } }),
    Drawer: Drawer.extend({ defaultProps: { closeButtonProps: { "aria-label": "Close" } } }),
    // Mantine's own alert is a block of saturated red in the dark; an error should be seen, not shout.
    Alert: Alert.extend({
      vars: (_theme, { color }) => {
        const tone = color === "orange" ? "var(--level-medium)" : "var(--level-high)";
        return {
          root: {
            "--alert-color": tone,
            "--alert-bg": `color-mix(in srgb, ${tone} 9%, transparent)`,
            "--alert-bd": `1px solid color-mix(in srgb, ${tone} 40%, transparent)`,
          },
        };
      },
    }),
  },
});
