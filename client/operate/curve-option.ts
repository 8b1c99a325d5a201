/** How a curve looks, as ECharts wants to be told. */
import type { EChartsCoreOption } from "echarts/core";
import { metricValue } from "./format.ts";
import { type CurvePoint, smooth } from "./smoothing.ts";

const smoothing = 0.8;

const palettes = {
  light: { line: "#287882", point: "#8abfc6", axis: "#586469", grid: "#e8ecee", surface: "#ffffff", text: "#1d2326" },
  dark: { line: "#68aeb6", point: "#2f6972", axis: "#9aa5aa", grid: "#2c3438", surface: "#1b2124", text: "#d3d9dc" },
};

export function curveOption(points: readonly CurvePoint[], scheme: "light" | "dark"): EChartsCoreOption {
  const { line, point, axis, grid, surface, text } = palettes[scheme];
  const axisLabel = { color: axis, fontSize: 11 };
  return {
    animation: false,
    grid: { left: 4, right: 12, top: 10, bottom: 2, containLabel: true },
    tooltip: {
      trigger: "axis",
      backgroundColor: surface,
      borderColor: grid,
      textStyle: { color: text, fontSize: 12 },
      valueFormatter: (value: unknown) => metricValue(Number(value)),
    },
    xAxis: {
      type: "value",
      min: "dataMin",
      max: "dataMax",
      minInterval: 1,
      axisLabel,
      splitLine: { show: false },
      axisLine: { lineStyle: { color: grid } },
    },
    yAxis: {
      type: "value",
      scale: true,
      splitNumber: 3,
      axisLabel: { ...axisLabel, formatter: metricValue },
      splitLine: { lineStyle: { color: grid } },
    },
    series: [
      { name: "measured", type: "scatter", data: [...points], symbolSize: 4, itemStyle: { color: point } },
      {
        name: "smoothed",
        type: "line",
        data: smooth(points, smoothing),
        showSymbol: false,
        lineStyle: { color: line, width: 2 },
        itemStyle: { color: line },
      },
    ],
  };
}
