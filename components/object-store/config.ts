import { ports } from "../naming";

/** Where things lie on the machine of the object store. */
export const paths = {
    binary: "/usr/local/bin/versitygw",
    unit: "/etc/systemd/system/object-store.service",
    /** Access key and secret of the one user; read by systemd as root, mode 0600. */
    environment: "/etc/object-store/environment",
    certificate: "/etc/object-store/certificate.pem",
    privateKey: "/etc/object-store/private-key.pem",
    /** Authority of the certificate, for requests from the machine itself. */
    authority: "/etc/object-store/authority.pem",
    /** Mount point of the volume: one folder per bucket. */
    buckets: "/var/lib/object-store",
} as const;

export const unitName = "object-store.service";

/** System user that the server runs as. */
export const user = "object-store";

/** One region, as its clients name it; the server refuses signatures for another. */
export const region = "us-east-1";

/** Paths are absolute: the server changes its directory. It is never given up, however often it ends. */
export const renderUnit = (): string => `[Unit]
Description=S3 object store (versitygw)
After=network-online.target
StartLimitIntervalSec=0

[Service]
User=${user}
EnvironmentFile=${paths.environment}
Environment=VGW_PORT=:${ports.objectStore} VGW_REGION=${region} VGW_QUIET=true
Environment=VGW_CERT=${paths.certificate} VGW_KEY=${paths.privateKey}
ExecStart=${paths.binary} posix ${paths.buckets}
NoNewPrivileges=yes
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
`;

export interface StoreCredentials {
    accessKeyId: string;
    secretAccessKey: string;
}

export const renderEnvironment = ({ accessKeyId, secretAccessKey }: StoreCredentials): string =>
    `ROOT_ACCESS_KEY_ID=${accessKeyId}\nROOT_SECRET_ACCESS_KEY=${secretAccessKey}\n`;

/** Configuration for curl's standard input: makes the bucket and prints the answer, then its status. */
export const renderBucketRequest = (
    address: string,
    bucket: string,
    { accessKeyId, secretAccessKey }: StoreCredentials,
): string => `url = "https://${address}:${ports.objectStore}/${bucket}"
request = "PUT"
user = "${accessKeyId}:${secretAccessKey}"
aws-sigv4 = "aws:amz:${region}:s3"
cacert = "${paths.authority}"
max-time = 10
silent
show-error
write-out = "\\n%{http_code}"
`;
