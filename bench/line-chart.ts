/** A small line chart as an SVG file. */
import { writeFileSync } from "node:fs";
import * as echarts from "echarts";

export interface LineChart {
  title: string;
  /** Evenly spaced, whatever their distances: doublings look alike. */
  x: { name: string; values: readonly number[] };
  y: { name: string; values: readonly number[] };
}

export function writeLineChart(path: string, { title, x, y }: LineChart): void {
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width: 560, height: 320 });
  chart.setOption({
    animation: false,
    backgroundColor: "#fff",
    title: { text: title, left: "center", textStyle: { fontSize: 14 } },
    grid: { left: 64, right: 32, top: 48, bottom: 48 },
    xAxis: { type: "category", name: x.name, nameLocation: "middle", nameGap: 28, data: x.values.map(String) },
    yAxis: { type: "value", name: y.name, nameLocation: "middle", nameGap: 44, min: 0 },
    series: [
      {
        type: "line",
        data: y.values.map((value) => Number(value.toPrecision(3))),
        symbolSize: 6,
        label: { show: true, position: "top" },
        color: "#1c7ed6",
      },
    ],
  });
  writeFileSync(path, `${chart.renderToSVGString()}\n`);
  chart.dispose();
}
