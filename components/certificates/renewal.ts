/** Days for which a leaf certificate is valid. */
export const leafDays = 365;

/** Days before its end from which on any update renews it. */
export const renewBeforeDays = 60;
