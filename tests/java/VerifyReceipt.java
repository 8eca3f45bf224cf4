// Verifies a receipt with plain Java (11 or later) and no library: java VerifyReceipt.java RECEIPT ROOT_PEM FILE
//
// Exit 0 and the payload on standard output if the receipt's signature fits, its chain leads to the root, and it speaks
// of the file's bytes; otherwise exit 1 and the reason.

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.Signature;
import java.security.cert.CertPathValidator;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

public final class VerifyReceipt {
    public static void main(String[] arguments) throws Exception {
        String receipt = Files.readString(Path.of(arguments[0]), StandardCharsets.US_ASCII);
        byte[] root = Files.readAllBytes(Path.of(arguments[1]));
        byte[] content = Files.readAllBytes(Path.of(arguments[2]));
        try {
            System.out.println(verify(receipt, root, content));
        } catch (Exception error) {
            System.err.println(error);
            System.exit(1);
        }
    }

    private static String verify(String receipt, byte[] rootPem, byte[] content) throws Exception {
        String[] parts = receipt.split("\\.", -1);
        if (parts.length != 3) {
            throw new Exception("not a compact JWS");
        }
        Base64.Decoder url = Base64.getUrlDecoder();
        String header = new String(url.decode(parts[0]), StandardCharsets.UTF_8);
        if (!"sekisho-receipt+jws".equals(text(header, "typ"))) {
            throw new Exception("not a receipt");
        }

        CertificateFactory certificates = CertificateFactory.getInstance("X.509");
        List<X509Certificate> chain = new ArrayList<>();
        Matcher list = Pattern.compile("\"x5c\":\\[([^\\]]*)\\]").matcher(header);
        if (!list.find()) {
            throw new Exception("no chain");
        }
        Matcher each = Pattern.compile("\"([A-Za-z0-9+/=]+)\"").matcher(list.group(1));
        while (each.find()) {
            byte[] der = Base64.getDecoder().decode(each.group(1));
            chain.add((X509Certificate) certificates.generateCertificate(new ByteArrayInputStream(der)));
        }
        X509Certificate root =
                (X509Certificate) certificates.generateCertificate(new ByteArrayInputStream(rootPem));
        PKIXParameters trust = new PKIXParameters(Set.of(new TrustAnchor(root, null)));
        // The revocation lists lie in the bundle; here signature and chain are looked at.
        trust.setRevocationEnabled(false);
        CertPathValidator.getInstance("PKIX").validate(certificates.generateCertPath(chain), trust);

        String algorithm = switch (text(header, "alg")) {
            case "ES256" -> "SHA256withECDSAinP1363Format";
            case "ES384" -> "SHA384withECDSAinP1363Format";
            default -> throw new Exception("unexpected algorithm");
        };
        Signature signature = Signature.getInstance(algorithm);
        signature.initVerify(chain.get(0).getPublicKey());
        signature.update((parts[0] + "." + parts[1]).getBytes(StandardCharsets.US_ASCII));
        if (!signature.verify(url.decode(parts[2]))) {
            throw new Exception("the signature does not fit");
        }

        String payload = new String(url.decode(parts[1]), StandardCharsets.UTF_8);
        StringBuilder digest = new StringBuilder();
        for (byte octet : MessageDigest.getInstance("SHA-256").digest(content)) {
            digest.append(String.format("%02x", octet));
        }
        if (!digest.toString().equals(text(payload, "sha256"))) {
            throw new Exception("the receipt speaks of other bytes");
        }
        Matcher length = Pattern.compile("\"length\":(\\d+)").matcher(payload);
        if (!length.find() || Long.parseLong(length.group(1)) != content.length) {
            throw new Exception("the receipt speaks of another length");
        }
        return payload;
    }

    /** The text under a key. A receipt has no escapes in the keys and values read here. */
    private static String text(String json, String key) throws Exception {
        Matcher matcher = Pattern.compile("\"" + key + "\":\"([^\"\\\\]*)\"").matcher(json);
        if (!matcher.find()) {
            throw new Exception("no " + key);
        }
        return matcher.group(1);
    }
}
