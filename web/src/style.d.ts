/** esbuild takes style sheets as modules without exports. */
declare module "*.css";
