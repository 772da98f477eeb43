// SPDX-License-Identifier: Apache-2.0
// The configuration: all mistakes at once, each with its key.

namespace Jumpgate.EcmPlugin.Tests;

public sealed class ConfigurationTests : IDisposable
{
    private readonly Folder folder = new();

    public void Dispose() => folder.Dispose();

    private Dictionary<string, string?> Keys() =>
        new() { ["Url"] = "https://gateway.example.test:8443", ["TokenFile"] = folder.File("token", "t0ken\n") };

    private string[] Mistakes(Action<Dictionary<string, string?>> change)
    {
        var keys = Keys();
        change(keys);
        return [.. Assert.Throws<PluginConfigurationException>(() => PluginConfiguration.Read(keys)).Mistakes];
    }

    [Fact]
    public void Defaults()
    {
        var made = PluginConfiguration.Read(Keys());
        Assert.Equal((5000, 12000, 5000, 64), (made.FindTimeoutMs, made.CheckoutTimeoutMs, made.OtherTimeoutMs, made.MaxConnections));
        Assert.Equal((PluginLogLevel.Info, "none", null), (made.LogLevel, made.Revocation, made.CaFile));
    }

    [Fact]
    public void Every_mistake_is_named_with_its_key()
    {
        var found = Mistakes(keys =>
        {
            keys["Url"] = "http://gateway.example.test";
            keys["TokenFile"] = "/nowhere/token";
            keys["CaFile"] = folder.File("ca", "no certificate");
            keys["ClientCertificateFile"] = folder.File("p12", "no certificate");
            keys["FindTimeoutMs"] = "0";
            keys["CheckoutTimeoutMs"] = "5s";
            keys["OtherTimeoutMs"] = "600001";
            keys["MaxConnections"] = "-1";
            keys["LogLevel"] = "loud";
            keys["MemberMap"] = folder.File("map", """{"session.idd":"x","session.id":7,"endpoint_types":{"a":"vnc"}}""");
            keys["Tokenfile2"] = "x";
        });
        string[] begin =
        [
            "Url: http is for loopback", "TokenFile: /nowhere/token cannot be read", "CaFile: holds no", "ClientCertificateFile: is not PKCS#12",
            "FindTimeoutMs:", "CheckoutTimeoutMs:", "OtherTimeoutMs:", "MaxConnections:", "LogLevel:", "Tokenfile2: is no key",
        ];
        Assert.All(begin, text => Assert.Contains(found, mistake => mistake.StartsWith(text, StringComparison.Ordinal)));
        Assert.Equal(3, found.Count(mistake => mistake.StartsWith("MemberMap:", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("gateway.example.test:8443")]
    [InlineData("ftp://gateway.example.test")]
    [InlineData("https://gateway.example.test/v1")]
    [InlineData("https://user:pw@gateway.example.test")]
    [InlineData("https://gateway.example.test?x=1")]
    [InlineData("http://192.0.2.1:80")]
    [InlineData("http://127.0.0.1.example.test")]
    public void Addresses_that_are_not_taken(string url) =>
        Assert.StartsWith("Url: ", Assert.Single(Mistakes(keys => keys["Url"] = url)), StringComparison.Ordinal);

    [Theory]
    [InlineData("https://gateway.example.test")]
    [InlineData("https://[2001:db8::1]:8443/")]
    [InlineData("http://127.0.0.1:8080")]
    [InlineData("http://[::1]:8080")]
    [InlineData("http://localhost:8080")]
    public void Addresses_that_are_taken(string url)
    {
        var keys = Keys();
        keys["Url"] = url;
        Assert.Equal(new Uri(url), PluginConfiguration.Read(keys).Url);
    }

    [Theory]
    [InlineData("")]
    [InlineData("\n")]
    [InlineData("two words")]
    [InlineData("line\nline")]
    [InlineData("umläut")]
    public void Tokens_that_are_not_taken(string text) =>
        Assert.StartsWith("TokenFile: ", Assert.Single(Mistakes(keys => keys["TokenFile"] = folder.File("t", text))), StringComparison.Ordinal);

    [Fact]
    public void A_mistake_never_shows_the_token_or_the_password()
    {
        var found = Mistakes(keys =>
        {
            keys["TokenFile"] = folder.File("t", "secret token");
            keys["ClientCertificateFile"] = folder.File("p12", "x");
            keys["ClientCertificatePasswordFile"] = folder.File("pw", "hunter2");
        });
        Assert.DoesNotContain(found, mistake => mistake.Contains("secret", StringComparison.Ordinal) || mistake.Contains("hunter2", StringComparison.Ordinal));
    }

    [Fact]
    public void Some_identity_is_needed() =>
        Assert.StartsWith("TokenFile: is missing", Assert.Single(Mistakes(keys => keys.Remove("TokenFile"))), StringComparison.Ordinal);

    [Fact]
    public void The_environment_is_read()
    {
        Environment.SetEnvironmentVariable("Jumpgate__MaxConnections", "7");
        try
        {
            Assert.Contains(PluginConfiguration.FromEnvironment(), pair => pair is { Key: "MaxConnections", Value: "7" });
        }
        finally
        {
            Environment.SetEnvironmentVariable("Jumpgate__MaxConnections", null);
        }
    }

    [Fact]
    public void Lines_above_the_level_are_left_out()
    {
        var lines = new List<string>();
        var log = new PluginLog(PluginLogLevel.Warn, (_, line) => lines.Add(line));
        log.Info("no");
        log.Debug("no");
        log.Warn("yes\r\n\u202eand\u2028");
        log.Error("yes");
        Assert.Equal(["yes   and ", "yes"], lines);
    }
}
