"use strict";
(function () {
  const nonce = document.currentScript.nonce;
  const button = document.getElementById("orbit-button");
  const place = document.getElementById("orbit-plot");
  const status = document.getElementById("orbit-status");
  if (!button || !place || !status) { return; }

  // plotly is five megabytes: it is text until somebody asks for the plot.
  function loadPlotly() {
    if (window.Plotly) { return; }
    const script = document.createElement("script");
    script.nonce = nonce;
    script.textContent = document.getElementById("plotly-source").textContent;
    document.head.appendChild(script);
  }

  function fail(error) {
    place.hidden = true;
    button.hidden = true;
    status.textContent = "This browser cannot draw it (" + error.message +
      "); the static figure above shows the same points.";
  }

  function show() {
    try {
      loadPlotly();
      place.hidden = false;
      const figure = JSON.parse(document.getElementById("orbit-data").textContent);
      // Only buttons that turn the plot: the others save, or send data elsewhere.
      const buttons = [["orbitRotation", "zoom3d", "pan3d", "resetCameraDefault3d"]];
      const options = { displaylogo: false, responsive: true, modeBarButtons: buttons };
      window.Plotly.newPlot(place, figure.data, figure.layout, options).then(function () {
        button.hidden = true;
        status.textContent = "Drag to turn, scroll to zoom, click a name to hide its points.";
      }, fail);
    } catch (error) {
      fail(error);
    }
  }

  button.hidden = false;
  button.addEventListener("click", show);
})();
