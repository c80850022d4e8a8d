import js from "@eslint/js";
import typescript from "typescript-eslint";

export default typescript.config(
    { ignores: ["node_modules/", ".state/", "reports/", "**/*.cjs"] },
    js.configs.recommended,
    {
        files: ["**/*.ts"],
        extends: [typescript.configs.recommendedTypeChecked],
        languageOptions: { parserOptions: { project: "./tsconfig.json", tsconfigRootDir: import.meta.dirname } },
        rules: {
            eqeqeq: "error",
            "@typescript-eslint/no-floating-promises": "error",
            "@typescript-eslint/no-misused-promises": "error",
            "@typescript-eslint/prefer-nullish-coalescing": "error",
            "@typescript-eslint/switch-exhaustiveness-check": "error",
            "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "inline-type-imports" }],
            "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
            "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
            // Providers and builders implement asynchronous interfaces, some of them without waiting for anything.
            "@typescript-eslint/require-await": "off",
        },
    },
    {
        files: ["test/**/*.ts"],
        rules: {
            // describe and it return promises or suites that mocha itself takes care of.
            "@typescript-eslint/no-unused-expressions": "off",
        },
    },
);
