// SPDX-License-Identifier: Apache-2.0
// A made-up SDK that differs from our declarations wherever nothing certain is known: sealed types, a result that
// derives from another, a field, a record, a constructor with parameters, other names, a package for keys, no nullable
// annotations. The test host is built against it, to show that the plug-in needs the known names and nothing else.

using BeyondTrust.Integration.ECM.SDK.Model;

namespace BeyondTrust.Integration.ECM.SDK.Model
{
    public enum EndpointPackageType
    {
        RDP,
        Shell,
    }

    public class ActionResult
    {
        public bool IsSuccess { get; set; }

        public string Message { get; set; }
    }

    public class ActionResult<T> : ActionResult
        where T : class
    {
        public T ResultValue { get; set; }
    }

    public sealed class PluginCapabilities
    {
        public bool SupportsCredentialsUsed { get; set; }

        public bool SupportsEndpointSearch { get; set; }

        public bool SupportsHealthCheck { get; set; }

        public bool SupportsSessionComplete { get; set; }

        public bool SupportsSessionStarted { get; set; }

        public bool SupportsStartSession { get; set; }
    }

    public sealed class PluginHealthStatus
    {
        public bool Healthy;

        public bool Shown => Healthy;
    }

    public sealed class SRASession
    {
        public Guid LSID { get; set; }

        public Target JumpItem { get; set; }

        public Person User { get; set; }
    }

    public sealed class Target
    {
        public string ComputerName { get; set; }

        public string HostName { get; set; }

        public int Port { get; set; }
    }

    public sealed class Person
    {
        public string UserName { get; set; }

        public string DomainName { get; set; }
    }

    public sealed class CredentialSummary
    {
        public string CredentialId { get; set; }

        public string DisplayValue { get; set; }
    }

    public sealed class CredentialPackage
    {
        private CredentialPackage(string user, string password, string key) => (User, Password, Key) = (user, password, key);

        public string User { get; }

        public string Password { get; }

        public string Key { get; }

        public static CredentialPackage BuildUsernamePasswordPackage(string credentialId, string username, string password) =>
            new(username, password, null);

        public static CredentialPackage BuildPrivateKeyPackage(string credentialId, string userName, string privateKey, string passphrase) =>
            new(userName, null, privateKey);
    }

    public sealed record EndpointPackage(string HostName, EndpointPackageType EndpointType)
    {
        public string Name { get; init; }

        public string Port { get; set; }
    }

    public sealed class StartSessionDetails
    {
    }
}

namespace BeyondTrust.Integration.ECM.SDK.Plugin
{
    public interface IECMPlugin
    {
        string Name { get; }

        string Description { get; }

        string Version { get; }

        Task<ActionResult<PluginCapabilities>> GetPluginCapabilitiesAsync();

        Task<ActionResult<PluginHealthStatus>> PerformHealthCheckAsync();

        Task<ActionResult<IList<CredentialSummary>>> FindCredentialsForSessionAsync(SRASession session);

        Task<ActionResult<CredentialPackage>> GetCredentialForInjectionAsync(SRASession session, string credentialId);

        Task<ActionResult> ReleaseCredentialFromSessionAsync(SRASession session, string credentialId, long sessionEndedTimestamp);

        Task<ActionResult<IReadOnlyList<EndpointPackage>>> FindAvailableEndpointsAsync(
            SRASession session,
            IReadOnlyList<EndpointPackageType> endpointSearchTypes,
            string searchCriteria,
            int? mostRecentlyUsedCount);

        Task<ActionResult<StartSessionDetails>> StartSessionAsync(SRASession session, string credentialId);

        Task<ActionResult> SessionStartedAsync(SRASession session, string historyUrl = null, int? historyUrlExpirySeconds = null);

        Task<ActionResult> SessionCompleteAsync(SRASession session);
    }
}
