/**
 * Days for which a leaf certificate is valid. When they end, they all end, and the database with them. Only an update renews them, and a
 * quiet stack may see none for a year. Apple's clients refuse a server's certificate of more than 825 days.
 */
export const leafDays = 820;

/** Days before its end from which on any update renews it, under load and without a restart: it may be late by as many. */
export const renewBeforeDays = 640;

/** Days by which one certificate may be younger than the others: a name that it got since, and none of them due. */
export const youngerByDays = leafDays - renewBeforeDays;

/** Days before the end of the one that it sees from which on the stack's status warns: three months before the first of them. */
export const warnBeforeDays = 90 + youngerByDays;
