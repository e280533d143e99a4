// Fails on CSS that the oldest browsers lack, but for what a page can do without.

export default {
  plugins: ["stylelint-no-unsupported-browser-features"],
  rules: {
    "plugin/no-unsupported-browser-features": [
      true,
      {
        ignorePartialSupport: true,
        ignore: [
          // Behind 100vh.
          "viewport-unit-variants",
          // Without it the browser draws its own outline.
          "css-focus-visible",
          // One font of a list.
          "extended-system-fonts",
          // Without both, card and footer are there while the page loads.
          "css-media-scripting",
          "css-has",
        ],
      },
    ],
  },
};
