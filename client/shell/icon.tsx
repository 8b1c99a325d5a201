/** Line icons, drawn for this project on a 24 by 24 grid. They only ever accompany a label, so they are hidden from it. */
const paths = {
  plus: "M12 5v14M5 12h14",
  menu: "M4 7h16M4 12h16M4 17h16",
  more: "M5.5 12h.01M12 12h.01M18.5 12h.01",
  pencil: "M4 20l1-4L16.5 4.5l3 3L8 19zM14 7l3 3",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10.5 11v5M13.5 11v5",
  thumbsUp: "M8 11v9H4v-9zM8 11l4-7c1.5 0 2.5 1.2 2 3l-1 3h5.5c1.2 0 1.9 1 1.6 2.1l-1.7 6.4c-.2.9-.9 1.5-1.9 1.5H8",
  thumbsDown:
    "M16 13V4h4v9zM16 13l-4 7c-1.5 0-2.5-1.2-2-3l1-3H5.500c-1.2 0-1.9-1-1.600-2.100l1.700-6.400C5.800 4.600 6.500 4 7.500 4H16",
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M7 7h10v10H7z",
  sun: "M12 8a4 4 0 100 8 4 4 0 000-8zM12 3v1.500M12 19.500V21M3 12h1.500M19.500 12H21M5.600 5.600l1.100 1.100M17.300 17.300l1.100 1.100M5.600 18.400l1.100-1.100M17.300 6.700l1.100-1.100",
  moon: "M19.500 14.500A8 8 0 019.500 4.500a8 8 0 1010 10z",
  system: "M4 5h16v11H4zM9 20h6M12 16v4",
  refresh: "M19 12a7 7 0 11-2.100-5M19 4v4h-4",
  left: "M14.500 6l-6 6 6 6",
  right: "M9.500 6l6 6-6 6",
  eye: "M2.500 12S6 5.500 12 5.500 21.500 12 21.500 12 18 18.500 12 18.500 2.500 12 2.500 12zM12 9.500a2.500 2.500 0 100 5 2.500 2.500 0 000-5z",
  keyboard: "M3 7h18v10H3zM7 10.500h.01M10.300 10.500h.01M13.700 10.500h.01M17 10.500h.01M8 14h8",
  undo: "M8 5L4 9l4 4M4 9h9.500a5.500 5.500 0 010 11H10",
  play: "M8 5.500v13l10.500-6.500z",
  check: "M5 12.500l4.500 4.500L19 7.500",
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg
      aria-hidden="true"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth={name === "more" ? 2.6 : 1.7}
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      <path d={paths[name]} />
    </svg>
  );
}
